const unknownOpening = 60_000

/** Notices a connection that is silent although its server sends heartbeats. */
export class Watchdog {
  readonly #silent: () => void
  /** The milliseconds from one heartbeat to the next, 0 for a server that sends none. */
  #interval = 0
  #last = now()
  #timer: ReturnType<typeof setTimeout> | undefined

  /** The function is called when nothing has come for three intervals. */
  constructor(silent: () => void) {
    this.#silent = silent
  }

  /** Sets the interval that the server tells. */
  expect(interval: number): void {
    this.#interval = interval
    this.stop()
    this.alive()
  }

  /** Records a sign of life, and watches from now on. */
  alive(): void {
    this.#last = now()
    if (this.#interval > 0) this.#timer ??= this.#check()
  }

  /** Stops to watch until the next sign of life. */
  stop(): void {
    clearTimeout(this.#timer)
    this.#timer = undefined
    this.#last = now()
  }

  /** Whether a heartbeat is overdue: the network may be gone, or the page has slept. */
  get late(): boolean {
    return this.#interval > 0 && since(this.#last) > 1.5 * this.#interval
  }

  /** How long the server may take to open a stream, in milliseconds. It needs no longer than one interval. */
  get longestOpening(): number {
    return this.#interval > 0 ? 2 * this.#interval : unknownOpening
  }

  #check(): ReturnType<typeof setTimeout> {
    const set = now()
    const delay = Math.min(this.#interval, 3 * this.#interval - since(this.#last))
    return setTimeout(() => {
      const slept = since(set) > 2 * this.#interval
      if (since(this.#last) < 3 * this.#interval && !(slept && this.late)) {
        this.#timer = this.#check()
        return
      }
      this.stop()
      this.#silent()
    }, delay)
  }
}

/** A moment by two clocks: the first may be set back, the second may stand still while a computer sleeps. */
type Moment = readonly [wall: number, steady: number]

function now(): Moment {
  return [Date.now(), performance.now()]
}

function since([wall, steady]: Moment): number {
  return Math.max(Date.now() - wall, performance.now() - steady)
}
