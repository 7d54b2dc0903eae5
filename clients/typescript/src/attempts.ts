import { backoffDelay, longestDelay } from './backoff.js'

/** When to try again. At most one attempt is due at a time. */
export class Attempts {
  // Two counts, so that a long outage does not delay the return once it is over.
  #failedProbes = 0
  #refusedStreams = 0
  #due: { at: number; timer: ReturnType<typeof setTimeout>; action: () => void } | undefined

  /** Tries again after an answer that was none: the longer the outage, the later. */
  serverFailed(action: () => void): void {
    this.#schedule(action, backoffDelay(++this.#failedProbes))
  }

  /** Tries again after a stream was refused by a server that does answer. */
  streamRefused(action: () => void): void {
    this.#failedProbes = 0
    this.#schedule(action, backoffDelay(++this.#refusedStreams))
  }

  /** Something came over a stream. */
  streamHolds(): void {
    this.#refusedStreams = 0
  }

  /** A stream was lost after that many milliseconds, in which perhaps nothing had changed. */
  streamLasted(milliseconds: number): void {
    if (milliseconds >= longestDelay) this.streamHolds()
  }

  /** Starts counting anew. */
  reset(): void {
    this.#failedProbes = this.#refusedStreams = 0
  }

  /** Brings an attempt that is due later forward, as if it were the first; false if none is due. */
  hurry(): boolean {
    if (!this.#due) return false
    const delay = backoffDelay(1)
    if (Date.now() + delay < this.#due.at) this.#schedule(this.#due.action, delay)
    return true
  }

  cancel(): void {
    clearTimeout(this.#due?.timer)
    this.#due = undefined
  }

  #schedule(action: () => void, delay: number): void {
    this.cancel()
    const timer = setTimeout(() => {
      this.#due = undefined
      action()
    }, delay)
    this.#due = { at: Date.now() + delay, timer, action }
  }
}
