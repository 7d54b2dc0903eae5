import { asProblem, isRecord } from './problem.js'
import type { Problem } from './problem.js'

/** The most streams that one connection carries. */
export const maxStreams = 16

/** The event that says a stream has no state. */
export const problemEvent = 'problem'

// An EventSource means something else by these, or the server does.
const reserved = new Set(['', 'open', 'error', 'message', problemEvent])

/** Throws a TypeError for a name that no stream can have, and a URIError for one that is not well-formed Unicode. */
export function checkName(name: string): void {
  if (reserved.has(name)) throw new TypeError(`no stream can be named ${JSON.stringify(name)}`)
  encodeURIComponent(name)
}

/** Where these streams are, and where they go on: empty, or the id of the last event. */
export function streamAddress(url: string, names: readonly string[], lastEventId = ''): string {
  const query = names.map((name) => `stream=${encodeURIComponent(name)}`)
  if (lastEventId) query.push(`lastEventId=${encodeURIComponent(lastEventId)}`)
  return url + (url.includes('?') ? '&' : '?') + query.join('&')
}

export interface StreamProblem {
  stream: string
  problem: Problem
}

/** The data of a problem event; undefined when it names no stream. */
export function readProblem(sent: unknown): StreamProblem | undefined {
  if (!isRecord(sent) || typeof sent.stream !== 'string') return undefined
  const status = typeof sent.status === 'number' ? sent.status : 0
  return { stream: sent.stream, problem: asProblem(sent, status) }
}

/** What a plain GET answers: the same states, and the problems of those that have none. */
export interface Answer {
  states: [name: string, state: unknown][]
  problems: StreamProblem[]
}

/** Reads the answer of a plain GET; undefined when it is something else. */
export function readAnswer(sent: unknown): Answer | undefined {
  if (!isRecord(sent) || !isRecord(sent.streams)) return undefined
  const problems = Array.isArray(sent.problems) ? sent.problems : []
  return {
    states: Object.entries(sent.streams),
    problems: problems.map(readProblem).filter((problem) => problem !== undefined),
  }
}
