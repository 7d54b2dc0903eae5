/**
 * Spaces out what may happen often: the first two are due at once, and those
 * that follow closely are due ever further apart.
 */
export class Pace {
  readonly #shortest: number
  readonly #longest: number
  #gap = 0
  #last = -Infinity

  /** The gaps are in milliseconds. They double from the shortest to the longest. */
  constructor(shortest: number, longest: number) {
    this.#shortest = shortest
    this.#longest = longest
  }

  /** The milliseconds until the next one is due. */
  get wait(): number {
    return Math.max(0, this.#last + this.#gap - performance.now())
  }

  /** Records that one happens. */
  step(): void {
    this.#gap = this.#calm ? 0 : Math.min(this.#longest, Math.max(this.#shortest, 2 * this.#gap))
    this.#last = performance.now()
  }

  /** Forgets the last one if it was long ago. Then it does not matter whether the clock is another one, as in tests. */
  rest(): void {
    if (this.#calm) this.#last = -Infinity
  }

  get #calm(): boolean {
    return performance.now() - this.#last >= Math.max(5 * this.#shortest, 2 * this.#gap)
  }
}
