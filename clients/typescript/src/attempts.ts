import { backoffDelay, longestDelay } from './backoff.js'

/** Schedules attempts to connect, at most one at a time. */
export class Attempts {
  // Two counts, so that a long outage does not delay the first attempt after it.
  #failedProbes = 0
  #refusedStreams = 0
  #due: { at: number; timer: ReturnType<typeof setTimeout>; action: () => void } | undefined

  /** Schedules an attempt after the server failed to answer, with backoff. */
  serverFailed(action: () => void): void {
    this.#schedule(action, backoffDelay(++this.#failedProbes))
  }

  /** Schedules an attempt after a server that answers has refused a stream, with backoff. */
  streamRefused(action: () => void): void {
    this.#failedProbes = 0
    this.#schedule(action, backoffDelay(++this.#refusedStreams))
  }

  /** Resets the backoff of refused streams, after an event came. */
  streamDelivered(): void {
    this.#refusedStreams = 0
  }

  /** Resets the backoff of refused streams if the stream was open for long, even without events. */
  streamEnded(milliseconds: number): void {
    if (milliseconds >= longestDelay) this.streamDelivered()
  }

  /** Resets all backoff. */
  reset(): void {
    this.#failedProbes = this.#refusedStreams = 0
  }

  /** Moves a scheduled attempt to the delay of a first one, unless it is due earlier. Returns false if there is none. */
  advance(): boolean {
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
