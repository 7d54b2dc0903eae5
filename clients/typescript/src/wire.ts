import { asProblem, isRecord } from './problem.js'
import type { Problem } from './problem.js'

/** The most streams that one connection carries. */
export const maxStreams = 16

/** The name of the event that carries the problem of a stream. */
export const problemEvent = 'problem'

/** The name of the event that only tells that the connection lives. */
export const heartbeatEvent = 'heartbeat'

/** What precedes the name of a stream in the name of an event that appends to its text. */
export const appendPrefix = 'append '

// An EventSource or the server uses these names for other events.
const reserved = new Set(['', 'open', 'error', 'message', problemEvent, heartbeatEvent])

/** Throws a TypeError if the name is reserved, and a URIError if it is not well-formed Unicode. */
export function checkName(name: string): void {
  if (reserved.has(name) || name.startsWith(appendPrefix)) throw new TypeError(`${JSON.stringify(name)} cannot be the name of a stream`)
  encodeURIComponent(name)
}

/**
 * Returns the address, to which a query can be added. Throws a TypeError if it
 * has a fragment or is not a valid address for EventSource and fetch.
 */
export function checkAddress(address: string): string {
  // On a server that renders pages there is no document.
  const base = typeof document === 'undefined' ? 'http://server' : document.baseURI
  const { protocol, username, password } = new URL(address, base)
  if (!/^https?:$/.test(protocol) || username || password || address.includes('#')) {
    throw new TypeError(`${JSON.stringify(address)} cannot be the address of streams`)
  }
  return address.trim()
}

/** Returns the address of a plain GET for the streams. */
export function answerAddress(url: string, names: readonly string[]): string {
  const query = names.map((name) => `stream=${encodeURIComponent(name)}`)
  return url + (url.includes('?') ? '&' : '?') + query.join('&')
}

/** Returns the address of the streams. It resumes from the id of the last event, if there is one. */
export function streamAddress(url: string, names: readonly string[], lastEventId: string): string {
  const resumed = lastEventId && `&lastEventId=${encodeURIComponent(lastEventId)}`
  return `${answerAddress(url, names)}&heartbeat=1${resumed}`
}

export interface StreamProblem {
  stream: string
  problem: Problem
}

/** Reads the data of a problem event. Returns undefined if it names no stream. */
export function readProblem(sent: unknown): StreamProblem | undefined {
  if (!isRecord(sent) || typeof sent.stream !== 'string') return undefined
  const status = typeof sent.status === 'number' ? sent.status : 0
  return { stream: sent.stream, problem: asProblem(sent, status) }
}

/** The answer to a plain GET: the states, and the problems of the streams without one. */
export interface Answer {
  states: [name: string, state: unknown][]
  problems: StreamProblem[]
}

/** Reads the answer to a plain GET. Returns undefined if it is something else. */
export function readAnswer(sent: unknown): Answer | undefined {
  if (!isRecord(sent) || !isRecord(sent.streams)) return undefined
  const problems = Array.isArray(sent.problems) ? sent.problems : []
  return {
    states: Object.entries(sent.streams),
    problems: problems.map(readProblem).filter((problem) => problem !== undefined),
  }
}
