import type { EventStream } from './transport.js'
import { appendPrefix, heartbeatEvent, problemEvent } from './wire.js'

/** Receives what comes over an event stream, until that is closed. */
export interface SourceListener {
  /** An event has come, or the stream has been open for a while. What the event brings follows. */
  alive(): void
  /** A heartbeat has come. It may tell how many milliseconds there are to the next one. */
  heartbeat(source: Source, interval: number): void
  /** An event of a stream, or a problem. The value is undefined if the data is not JSON. It may be the end of a text. */
  received(source: Source, name: string, value: unknown, id: string, appended: string): void
  /** Nothing has come yet since the request or a cut. It is called every second. */
  pending(source: Source): void
  /** The connection was cut after that many milliseconds. Unless the event stream has given up, it reconnects. */
  lost(milliseconds: number, gaveUp: boolean): void
}

/** How often a source is looked at over which nothing has come. */
const interval = 1_000

/** What `readyState` is. */
const [open, closed] = [1, 2]

/** One event stream. */
export class Source {
  /** The streams that were asked for. */
  readonly names: readonly string[]
  readonly #events: EventStream
  readonly #listener: SourceListener
  #since = performance.now()
  #alive = false
  #timer: ReturnType<typeof setTimeout> | undefined

  constructor(events: EventStream, names: readonly string[], listener: SourceListener) {
    this.names = names
    this.#listener = listener
    this.#events = events
    // A server that is overloaded opens a stream and ends it, so this is no sign that it serves the stream.
    this.#events.addEventListener('open', () => this.#wait())
    this.#events.addEventListener('error', () => this.#lost())
    this.#events.addEventListener(heartbeatEvent, ({ data }) => {
      this.#live()
      listener.heartbeat(this, Number(data))
    })
    for (const name of [...names, problemEvent]) {
      for (const append of ['', appendPrefix]) {
        this.#events.addEventListener(append + name, ({ data, lastEventId }) => {
          this.#live()
          listener.received(this, name, parse(data), lastEventId, append)
        })
      }
    }
    this.#wait()
  }

  /** Whether the server serves the streams. */
  get alive(): boolean {
    return this.#alive
  }

  /** Milliseconds since the request, or since the cut after which the event stream reconnects. */
  get age(): number {
    return performance.now() - this.#since
  }

  close(): void {
    clearTimeout(this.#timer)
    this.#events.close()
  }

  /** Looks at the source every second until something comes. */
  #wait(): void {
    clearTimeout(this.#timer)
    if (this.#alive) return
    this.#timer = setTimeout(() => {
      this.#wait()
      // A server without heartbeats may have nothing to say.
      if (this.#events.readyState === open) {
        this.#live()
        this.#listener.heartbeat(this, 0)
      } else this.#listener.pending(this)
    }, interval)
  }

  #live(): void {
    this.#alive = true
    clearTimeout(this.#timer)
    this.#listener.alive()
  }

  #lost(): void {
    const age = this.age
    this.#since = performance.now()
    this.#alive = false
    this.#wait()
    this.#listener.lost(age, this.#events.readyState === closed)
  }
}

function parse(data: string): unknown {
  try {
    return JSON.parse(data)
  } catch {
    return undefined
  }
}
