import { asProblem, ownProblem } from './problem.js'
import type { Problem } from './problem.js'
import type { Transport } from './transport.js'
import { readAnswer } from './wire.js'
import type { Answer } from './wire.js'

/** Limits the wait for a server that accepts a request and sends nothing, in milliseconds. */
const longestWait = 30_000

/** Limits how long a server can keep the client away, for a date may be wrong. */
const longestRetryAfter = 3_600_000

/**
 * An answer, which may lack the writes that were to be waited for, or a problem and the
 * milliseconds that the server wants to be left alone.
 */
export type Outcome = { answer: Answer; pending: boolean } | { problem: Problem; retryAfter?: number }

/**
 * Requests the streams by a plain GET, because an EventSource does not show the
 * status. Never rejects.
 */
export async function ask(transport: Transport, address: string, asking: AbortController, wait: number): Promise<Outcome> {
  const timer = setTimeout(() => asking.abort(), Math.min(wait, longestWait))
  try {
    const response = await transport.ask(address, { headers: { Accept: 'application/json' }, signal: asking.signal })
    const body = await readJSON(response)
    if (!response.ok) return { problem: asProblem(body, response.status), retryAfter: readRetryAfter(response.headers) }
    const answer = readAnswer(body)
    return answer
      ? { answer, pending: response.headers.has('Feedmill-Pending') }
      : { problem: ownProblem('The server sent data that cannot be read.') }
  } catch {
    return { problem: ownProblem('The server cannot be reached.') }
  } finally {
    clearTimeout(timer)
  }
}

/** Rejects if the connection breaks. Returns undefined if the body is not JSON. */
async function readJSON(response: Response): Promise<unknown> {
  const text = await response.text()
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

/** Returns the milliseconds of a Retry-After field, which has seconds or a date, and 0 without one. */
function readRetryAfter(headers: Headers): number {
  const field = headers.get('Retry-After') ?? ''
  const delay = /^\d+$/.test(field) ? Number(field) * 1_000 : Date.parse(field) - Date.now()
  return delay > 0 ? Math.min(delay, longestRetryAfter) : 0
}
