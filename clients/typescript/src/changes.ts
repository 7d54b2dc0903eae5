import { backoffDelay } from './backoff.js'
import { call } from './call.js'
import { isRefusal } from './problem.js'
import type { Problem } from './problem.js'
import type { Outcome } from './probe.js'
import type { Answer } from './wire.js'

/** The response to a write, such as that of `fetch`. Its header has the token by which a state is asked for that has the write. */
export interface Written {
  readonly ok: boolean
  readonly headers: Pick<Headers, 'get'>
}

/** Asks for the state of the stream that has the writes of the tokens. */
export type AskState = (tokens: readonly string[]) => Promise<Outcome>

/** Shows a state, or the last one of the changes: the stream goes on from there. */
export type ShowState = (state: unknown, over: boolean) => void

/** The most tokens that a request may have. */
const maxTokens = 16

/** How many states of the stream are remembered. */
const remembered = 32

/** How many answers may differ from all states of the stream before it is believed to have caught up: about 8 seconds. */
const maxAnswers = 10

/** For how many milliseconds answers may lack a write before it is believed never to come: its message may be parked. */
const longestPending = 60_000

/**
 * Changes of one stream that are shown before the server has them.
 *
 *     writing      the changes are shown on the state that was there before them; new states of the stream are held back
 *     asking       all writes have ended; a plain request asks for a state that has them
 *     catching up  answers are shown, until the one that is shown is among the states of the stream
 *
 * A state that is held back may have a write, or not: shown with the change, it
 * might have it twice, and without it not at all. An answer has all writes, and
 * the stream never goes back, so after a state that equals an answer it has
 * them too.
 */
export class Changes {
  readonly #ask: AskState
  readonly #show: ShowState
  /** What the changes are made to. */
  #base: unknown
  /** The newest state of the stream. */
  #latest: unknown
  /** The last states of the stream since the last change, as JSON. Earlier ones have no such write, even if they equal an answer. */
  readonly #passed: string[] = []
  readonly #changes = new Set<{ change: (state: unknown) => unknown }>()
  #writing = 0
  #written = false
  #tokens: string[] = []
  /** Since when all answers have lacked a write. */
  #pendingSince: number | undefined
  /** The answer that is shown, as JSON. */
  #answered: string | undefined
  /** Grows when what is asked for is no longer wanted. */
  #round = 0
  #over = false

  constructor(state: unknown, ask: AskState, show: ShowState) {
    this.#base = this.#latest = state
    this.#ask = ask
    this.#show = show
  }

  /** Shows a change. The returned function ends its write. Without a response, or one that is not ok, the change is taken back. */
  add(change: (state: unknown) => unknown): (written?: Written) => void {
    const added = { change }
    this.#changes.add(added)
    this.#writing++
    this.#round++
    this.#answered = undefined
    this.#passed.length = 0
    this.#showChanged()
    return (written) => {
      if (this.#over) return
      this.#writing--
      if (written?.ok) {
        this.#written = true
        const token = written.headers.get('Feedmill-Token')
        if (token) this.#tokens.push(token)
      } else {
        this.#changes.delete(added)
        if (this.#writing > 0 || this.#written) this.#showChanged()
      }
      if (this.#over || this.#writing > 0) return // A listener may have ended it.
      if (this.#written) void this.#catchUp(this.#round)
      else this.#end()
    }
  }

  /** Receives a state of the stream. */
  receive(state: unknown): void {
    this.#latest = state
    const text = JSON.stringify(state)
    this.#passed.push(text)
    if (this.#passed.length > remembered) this.#passed.shift()
    if (text === this.#answered) this.#end()
    else this.#showChanged()
  }

  /** Shows nothing and asks for nothing any more. */
  stop(): void {
    this.#over = true
    this.#round++
  }

  async #catchUp(round: number): Promise<void> {
    for (let answers = 0, failures = 0; answers < maxAnswers; ) {
      const tokens = this.#tokens.slice(0, maxTokens)
      const outcome: { answer?: Answer; pending?: boolean; problem?: Problem } = await this.#ask(tokens)
      if (round !== this.#round) return
      const { answer, pending, problem = answer?.problems[0]?.problem } = outcome
      if (!pending) this.#pendingSince = undefined
      if (pending) {
        const now = performance.now()
        this.#pendingSince ??= now
        if (now - this.#pendingSince >= longestPending) break
        failures++
      } else if (problem) {
        if (isFinal(problem)) break
        failures++
      } else {
        this.#tokens.splice(0, tokens.length)
        if (this.#tokens.length > 0) continue
        const named = answer?.states[0]
        if (!named) break
        if (this.#answer(named[1])) break
        answers++
        failures = 0
      }
      await new Promise((resolve) => setTimeout(resolve, backoffDelay(Math.max(failures, 1))))
      if (round !== this.#round) return
    }
    this.#end()
  }

  /** Shows an answer, which has all writes. Returns true if the stream has it, or had it. */
  #answer(state: unknown): boolean {
    this.#answered = JSON.stringify(state)
    this.#changes.clear()
    this.#base = state
    if (this.#passed.includes(this.#answered) || JSON.stringify(this.#latest) === this.#answered) return true
    this.#showChanged()
    return false
  }

  #end(): void {
    this.stop()
    this.#show(this.#latest, true)
  }

  #showChanged(): void {
    let state = this.#base
    for (const { change } of this.#changes) call(() => (state = change(state)))
    this.#show(state, false)
  }
}

/** Returns whether asking again is of no use. */
function isFinal(problem: Problem): boolean {
  return isRefusal(problem) && problem.status !== 408 && problem.status !== 429
}
