import { call } from './call.js'
import { Connection } from './connection.js'
import { Followed } from './followed.js'
import type { StreamListener } from './followed.js'
import { ownProblem } from './problem.js'
import type { ConnectionStatus } from './status.js'
import { checkName, maxStreams } from './wire.js'

export interface StreamClientOptions {
  /** Sends cookies to a server of another origin, which has to allow it. Defaults to false. */
  withCredentials?: boolean
  /**
   * Milliseconds for which streams stay on the connection after their last
   * listener has left, so that to come back costs nothing. Defaults to 10,000.
   */
  linger?: number
}

const noRoom = ownProblem(`A connection carries at most ${maxStreams} streams.`)

/**
 * Follows any number of streams of one address over one EventSource.
 *
 * Nothing happens until the first stream is subscribed to, and when the last
 * one was left the connection ends. A page needs one client, kept for as long
 * as the page lives.
 */
export class StreamClient {
  readonly #followed = new Map<string, Followed>()
  readonly #statusListeners = new Set<(status: ConnectionStatus) => void>()
  readonly #connection: Connection
  readonly #linger: number

  /** What the connection follows. */
  #names: readonly string[] = []
  #changing: ReturnType<typeof setTimeout> | undefined
  /** While it runs, streams that were left stay. */
  #lingering: ReturnType<typeof setTimeout> | undefined
  #closed = false

  /** Takes the address of the streams, relative to the page or absolute; it may have a query of its own. */
  constructor(url: string | URL, { withCredentials = false, linger = 10_000 }: StreamClientOptions = {}) {
    this.#linger = linger
    this.#connection = new Connection(String(url), withCredentials, {
      statusChanged: (status) => this.#tellStatus(status),
      opened: () => this.#eachOnConnection((followed) => followed.recover()),
      state: (name, value) => this.#followed.get(name)?.receive(value),
      problem: ({ stream, problem }) => this.#followed.get(stream)?.refuse(problem),
      misread: (name, problem) => this.#followed.get(name)?.misread(problem),
      answered: ({ states, problems }) => {
        for (const [name, value] of states) this.#followed.get(name)?.receive(value)
        for (const { stream, problem } of problems) this.#followed.get(stream)?.refuse(problem)
      },
      failed: (problem) => this.#eachOnConnection((followed) => followed.suffer(problem)),
    })
  }

  get status(): ConnectionStatus {
    return this.#connection.status
  }

  /** Calls the listener with every change of the status, until the function that it returns is called. */
  onStatus(listener: (status: ConnectionStatus) => void): () => void {
    const added = (status: ConnectionStatus) => listener(status)
    this.#statusListeners.add(added)
    return () => void this.#statusListeners.delete(added)
  }

  /**
   * Follows a stream until the function that it returns is called. Several may
   * follow one name; each is told the last state or problem at once, within
   * this call, if there is one yet. T is the caller's promise: what the server
   * sends is not checked.
   *
   * Subscriptions that change together cost one reconnect, which goes on where
   * the connection was. Of more than 16 streams those subscribed to first are
   * followed; the others are told a problem, and follow as soon as there is
   * room.
   *
   * Throws for a name that no stream can have (empty, `open`, `error`,
   * `message`, `problem`, or not well-formed Unicode), and once the client is
   * closed.
   */
  subscribe<T>(name: string, listener: StreamListener<T>): () => void {
    if (this.#closed) throw new Error('the stream client is closed')
    checkName(name)
    let followed = this.#followed.get(name)
    if (!followed) this.#followed.set(name, (followed = new Followed()))
    this.#changeSoon()
    const remove = followed.add(listener as StreamListener<unknown>)
    return () => {
      if (remove() && !followed.subscribed) this.#left()
    }
  }

  /** Ends the connection for good. Listeners of the status hear of `idle`; nobody hears anything after that. */
  close(): void {
    this.#closed = true
    clearTimeout(this.#changing)
    clearTimeout(this.#lingering)
    this.#followed.clear()
    this.#names = []
    this.#connection.follow([])
    this.#statusListeners.clear()
  }

  #left(): void {
    if (this.#closed) return
    clearTimeout(this.#lingering)
    this.#lingering = undefined
    if (this.#linger > 0) {
      this.#lingering = setTimeout(() => {
        this.#lingering = undefined
        this.#change()
      }, this.#linger)
    }
    this.#changeSoon()
  }

  /** A page that changes leaves some streams and subscribes to others within one turn. */
  #changeSoon(): void {
    this.#changing ??= setTimeout(() => this.#change(), 0)
  }

  /** Makes the connection follow what is subscribed to and, where there is room, what lingers. */
  #change(): void {
    clearTimeout(this.#changing)
    this.#changing = undefined
    const names = [...this.#followed.keys()]
    const subscribed = names.filter((name) => this.#followed.get(name)?.subscribed)
    const followed = subscribed.slice(0, maxStreams)
    const left = names.filter((name) => !subscribed.includes(name))
    const gone = this.#lingering === undefined ? left.length : Math.max(0, left.length + followed.length - maxStreams)
    for (const name of left.splice(0, gone)) {
      this.#followed.delete(name)
      this.#connection.forget(name)
    }
    this.#connect([...followed, ...left])
    for (const name of subscribed.slice(maxStreams)) this.#followed.get(name)?.suffer(noRoom)
  }

  #connect(names: readonly string[]): void {
    const added = names.filter((name) => !this.#names.includes(name))
    if (added.length === 0 && names.length === this.#names.length) return
    this.#names = names
    this.#connection.follow(names)
    for (const name of added) this.#followed.get(name)?.recover()
  }

  #eachOnConnection(tell: (followed: Followed) => void): void {
    for (const name of this.#names) {
      const followed = this.#followed.get(name)
      if (followed) tell(followed)
    }
  }

  #tellStatus(status: ConnectionStatus): void {
    for (const listener of [...this.#statusListeners]) call(() => listener(status))
  }
}
