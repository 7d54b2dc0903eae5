import { asProblem, ownProblem } from './problem.js'
import type { Problem } from './problem.js'
import { readAnswer } from './wire.js'
import type { Answer } from './wire.js'

/** Limits the wait for a server that accepts a request and sends nothing. */
const timeout = 30_000

export type Outcome = { answer: Answer } | { problem: Problem }

/**
 * Requests the streams by a plain GET, because an EventSource does not show the
 * status. Never rejects.
 */
export async function ask(address: string, asking: AbortController, credentials: RequestCredentials): Promise<Outcome> {
  const timer = setTimeout(() => asking.abort(), timeout)
  try {
    const response = await fetch(address, { headers: { Accept: 'application/json' }, signal: asking.signal, credentials })
    const body = await readJSON(response)
    if (!response.ok) return { problem: asProblem(body, response.status) }
    const answer = readAnswer(body)
    return answer ? { answer } : { problem: ownProblem('The server sent data that cannot be read.') }
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
