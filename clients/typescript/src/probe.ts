import { asProblem, ownProblem } from './problem.js'
import type { Problem } from './problem.js'
import { readAnswer } from './wire.js'
import type { Answer } from './wire.js'

/** A server that accepts and then says nothing must not hold up the next attempt. */
const longestWait = 30_000

export type Outcome = { answer: Answer } | { problem: Problem }

/**
 * Asks for the streams by a plain GET, which has what an EventSource keeps to
 * itself: the status. Never rejects.
 */
export async function ask(address: string, asking: AbortController, credentials: RequestCredentials): Promise<Outcome> {
  const giveUp = setTimeout(() => asking.abort(), longestWait)
  try {
    const response = await fetch(address, { headers: { Accept: 'application/json' }, signal: asking.signal, credentials })
    const body = await readJSON(response)
    if (!response.ok) return { problem: asProblem(body, response.status) }
    const answer = readAnswer(body)
    return answer ? { answer } : { problem: ownProblem('The server sent something that cannot be read.') }
  } catch {
    return { problem: ownProblem('The server cannot be reached.') }
  } finally {
    clearTimeout(giveUp)
  }
}

/** Rejects when the connection breaks; what is not JSON is undefined. */
async function readJSON(response: Response): Promise<unknown> {
  const text = await response.text()
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}
