import { call } from './call.js'
import { Changes } from './changes.js'
import type { AskState, Written } from './changes.js'
import { isRefusal } from './problem.js'
import type { Problem } from './problem.js'

/** Receives one stream. An error that it throws is reported as uncaught and does not affect others. */
export interface StreamListener<T> {
  /**
   * Receives the newest state, which ends any problem. It is called again with
   * the same state when a problem of the connection is over. Listeners share
   * the value and must not change it.
   */
  state(value: T): void
  /**
   * Receives why no new state comes. A 4xx is about this stream; it ends if the
   * server serves the stream again. Other problems are temporary.
   */
  problem?(problem: Problem): void
  /** The last state is not to be shown any more: the client was reset. */
  discarded?(): void
}

/** A listener, which may be added several times. */
interface Added {
  listener: StreamListener<unknown>
}

/** One stream: its listeners and what they received last. */
export class Followed {
  readonly #listeners = new Set<Added>()
  /** What is shown. */
  #state: { value: unknown } | undefined
  #changes: Changes | undefined
  /** The problem that the server sent for this stream, until it sends a state. */
  #problem: Problem | undefined
  /** Why no event of this stream can come, until the connection is open again. */
  #outage: Problem | undefined

  get subscribed(): boolean {
    return this.#listeners.size > 0
  }

  /** Adds a listener and calls it with the last state or problem. The returned function removes it, and returns true the first time. */
  add(listener: StreamListener<unknown>): () => boolean {
    const added = { listener }
    this.#listeners.add(added)
    this.#tell(added)
    return () => this.#listeners.delete(added)
  }

  receive(value: unknown): void {
    this.#problem = this.#outage = undefined
    if (this.#changes) this.#changes.receive(value)
    else this.#show(value)
  }

  /** Shows a change of the state until its write is in it, or has failed. The returned function ends the write. Without a state there is nothing to show. */
  change(change: (state: unknown) => unknown, ask: AskState): ((written?: Written) => void) | undefined {
    if (!this.#state) return undefined
    this.#changes ??= new Changes(this.#state.value, ask, (state, over) => {
      if (over) this.#changes = undefined
      this.#show(state)
    })
    return this.#changes.add(change)
  }

  /** Takes back changes, and asks for nothing any more. */
  forgetChanges(): void {
    this.#changes?.stop()
    this.#changes = undefined
  }

  /** Calls no listener any more. */
  close(): void {
    this.forgetChanges()
    this.#listeners.clear()
  }

  /** Discards what was received last. */
  discard(): void {
    this.forgetChanges()
    this.#state = this.#problem = this.#outage = undefined
    this.#each((listener) => listener.discarded?.())
  }

  /** Sets why no new state comes. A 4xx also removes the last state, and is not told again if it is known. */
  setProblem(problem: Problem): void {
    if (!isRefusal(problem)) {
      this.#problem = problem
      this.#tellProblem(problem)
      return
    }
    const known = !this.#state && !this.#outage && same(problem, this.#problem)
    this.forgetChanges()
    this.#state = this.#outage = undefined
    if (known) return
    this.#problem = problem
    this.#tellAll()
  }

  /** Sets an outage of the connection. The last state or problem stays. */
  fail(outage: Problem): void {
    if (same(outage, this.#outage)) return
    this.#outage = outage
    this.#tellProblem(outage)
  }

  /** Ends an outage. */
  recover(): void {
    if (!this.#outage) return
    this.#outage = undefined
    this.#tellAll()
  }

  #show(value: unknown): void {
    this.#state = { value }
    this.#tellAll()
  }

  /** Tells what is shown, then the problem, which what the first call does may have ended. */
  #tell(added: Added): void {
    const state = this.#state
    if (state) this.#call(added, (listener) => listener.state(state.value))
    const problem = this.#outage ?? this.#problem
    if (problem) this.#call(added, (listener) => listener.problem?.(problem))
  }

  #tellAll(): void {
    for (const added of [...this.#listeners]) this.#tell(added)
  }

  #tellProblem(problem: Problem): void {
    this.#each((listener) => listener.problem?.(problem))
  }

  /** Calls all listeners. A listener may add others, which add() has called. */
  #each(tell: (listener: StreamListener<unknown>) => void): void {
    for (const added of [...this.#listeners]) this.#call(added, tell)
  }

  /** Calls a listener, unless one that was called before has removed it. */
  #call(added: Added, tell: (listener: StreamListener<unknown>) => void): void {
    if (this.#listeners.has(added)) call(() => tell(added.listener))
  }
}

function same(a: Problem, b: Problem | undefined): boolean {
  return a.status === b?.status && a.title === b.title && a.detail === b.detail
}
