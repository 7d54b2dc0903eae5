import { call } from './call.js'
import type { Problem } from './problem.js'

/** Hears of one stream. What it throws is reported as uncaught and disturbs no other. */
export interface StreamListener<T> {
  /**
   * The stream's newest state, which supersedes any problem. It comes again,
   * unchanged, when a problem of the connection is over. All listeners of a
   * stream share the value: do not change it.
   */
  state(value: T): void
  /**
   * Why nothing (new) comes. A 4xx is the server's word on this stream; it
   * still comes back by itself should it be served again. Other problems pass.
   */
  problem?(problem: Problem): void
}

/** One stream by name: its listeners and what they were told last. */
export class Followed {
  readonly #listeners = new Set<{ listener: StreamListener<unknown> }>()
  #state: { value: unknown } | undefined
  /** The server's word on this stream, until it sends a state. */
  #problem: Problem | undefined
  /** What keeps this stream from coming at all, until that is over. */
  #trouble: Problem | undefined

  get subscribed(): boolean {
    return this.#listeners.size > 0
  }

  /** Adds a listener and tells it the last state or problem. The function returned removes it; true the first time. */
  add(listener: StreamListener<unknown>): () => boolean {
    const added = { listener }
    this.#listeners.add(added)
    this.#tell(listener)
    return () => this.#listeners.delete(added)
  }

  receive(value: unknown): void {
    this.#state = { value }
    this.#problem = this.#trouble = undefined
    this.#tellAll()
  }

  /** The server's word on this stream. A 4xx says that there is no state: the last one is no more. */
  refuse(problem: Problem): void {
    if (problem.status >= 500) {
      this.misread(problem)
      return
    }
    this.#state = this.#trouble = undefined
    this.#problem = problem
    this.#tellAll()
  }

  /** There is no saying what the state is: the last one stays. */
  misread(problem: Problem): void {
    this.#problem = problem
    this.#tellProblem(problem)
  }

  /** Nothing comes for now: the last state, or the server's last word, stays. */
  suffer(trouble: Problem): void {
    const known = this.#trouble
    if (known?.status === trouble.status && known.title === trouble.title) return
    this.#trouble = trouble
    this.#tellProblem(trouble)
  }

  /** What kept this stream from coming is over. */
  recover(): void {
    if (!this.#trouble) return
    this.#trouble = undefined
    this.#tellAll()
  }

  #tell(listener: StreamListener<unknown>): void {
    const state = this.#state
    const problem = this.#trouble ?? this.#problem
    if (state) call(() => listener.state(state.value))
    if (problem) call(() => listener.problem?.(problem))
  }

  #tellAll(): void {
    this.#each((listener) => this.#tell(listener))
  }

  #tellProblem(problem: Problem): void {
    this.#each((listener) => call(() => listener.problem?.(problem)))
  }

  /** A listener may add and remove others: those added are told by add(), those removed no more. */
  #each(tell: (listener: StreamListener<unknown>) => void): void {
    for (const added of [...this.#listeners]) if (this.#listeners.has(added)) tell(added.listener)
  }
}
