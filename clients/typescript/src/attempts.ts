import { backoffDelay, failure, refusal } from './backoff.js'

/** Schedules attempts to connect, at most one at a time. */
export class Attempts {
  // Several counts, so that a long outage does not delay the first attempt after it.
  #failedProbes = 0
  #refusedConnections = 0
  #refusedStreams = 0
  /** The server has asked for no attempt before this time. */
  #notBefore = 0
  #due: { at: number; timer: ReturnType<typeof setTimeout>; action: () => void } | undefined

  /** Schedules an attempt after the server failed to answer, with backoff, and not before it wants one. */
  serverFailed(action: () => void, retryAfter = 0): void {
    const delay = backoffDelay(++this.#failedProbes)
    this.#notBefore = performance.now() + retryAfter
    // Browsers that were told the same time do not come together.
    this.#schedule(action, retryAfter > 0 ? Math.max(delay, retryAfter + backoffDelay(1)) : delay)
  }

  /** Schedules an attempt after a server that answers has refused the connection, with backoff. */
  connectionRefused(action: () => void): void {
    this.#failedProbes = 0
    this.#schedule(action, backoffDelay(++this.#refusedConnections))
  }

  /** Schedules an attempt after the server has refused a stream, with a backoff that is slow, unless one is due earlier. */
  streamRefused(action: () => void): void {
    this.#failedProbes = 0
    this.within(backoffDelay(++this.#refusedStreams, refusal), action)
  }

  /** Resets the backoff of refused streams: something may have changed. */
  streamMayReturn(): void {
    this.#refusedStreams = 0
  }

  /** Resets the backoff of refused connections, after an event came. */
  delivered(): void {
    this.#refusedConnections = 0
  }

  /** Resets the backoff of refused connections if one was open for long, even without events. */
  ended(milliseconds: number): void {
    if (milliseconds >= failure.longest) this.delivered()
  }

  /** Resets all backoff. */
  reset(): void {
    this.#failedProbes = this.#refusedConnections = this.#refusedStreams = 0
  }

  /** Schedules an attempt within that many milliseconds, unless one is due earlier, or the server wants none yet. */
  within(milliseconds: number, action: () => void): void {
    const now = performance.now()
    const delay = Math.max(milliseconds, this.#notBefore - now)
    if (this.#due && this.#due.at <= now + delay) return
    if (delay > 0) this.#schedule(action, delay)
    else action()
  }

  /** Moves a scheduled attempt to the delay of a first one, unless it is due earlier. */
  advance(): void {
    if (this.#due) this.within(backoffDelay(1), this.#due.action)
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
    this.#due = { at: performance.now() + delay, timer, action }
  }
}
