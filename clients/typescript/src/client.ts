import { call } from './call.js'
import type { Written } from './changes.js'
import { Connection } from './connection.js'
import { Followed } from './followed.js'
import type { StreamListener } from './followed.js'
import type { Link } from './link.js'
import { ask } from './probe.js'
import { ownProblem } from './problem.js'
import type { Receiver } from './receiver.js'
import { canShare, SharedConnection } from './shared.js'
import type { ConnectionStatus } from './status.js'
import { eventSource } from './transport.js'
import type { Transport } from './transport.js'
import { answerAddress, checkAddress, checkName, maxStreams } from './wire.js'

export interface StreamClientOptions {
  /** Sends cookies to a server of another origin, which must allow it. Defaults to false. */
  withCredentials?: boolean
  /**
   * Milliseconds that a stream stays on the connection after its last listener
   * has left, so that a quick return needs no reconnect. Defaults to 10,000.
   */
  linger?: number
  /**
   * Shares one connection with all pages of the origin whose clients have the
   * same address and the same value here. Such pages receive each other's
   * states, so the value must differ from user to user: use the id of the user
   * or of the session. A browser without shared workers has a connection for
   * each page. Defaults to a connection for each client.
   */
  share?: string
  /** Sends the requests, such as `byFetch`. It excludes `share` and `withCredentials`. Defaults to EventSource. */
  transport?: Transport
}

const tooManyStreams = ownProblem(`A connection carries at most ${maxStreams} streams.`)

/**
 * Follows any number of streams of one address over one connection.
 *
 * It connects with the first subscription and disconnects after the last one.
 * A page needs one client for its whole life.
 */
export class StreamClient {
  readonly #followed = new Map<string, Followed>()
  readonly #statusListeners = new Set<(status: ConnectionStatus) => void>()
  readonly #connection: Link
  readonly #linger: number
  readonly #address: string
  readonly #transport: Transport

  /** The streams that the connection follows. */
  #names: readonly string[] = []
  #changing: ReturnType<typeof setTimeout> | undefined
  /** While this timer runs, streams without listeners stay on the connection. */
  #lingering: ReturnType<typeof setTimeout> | undefined
  #closed = false

  /**
   * The address may be relative to the page, and may have a query. Throws a
   * TypeError if it is not valid or has a fragment, or if options exclude each
   * other.
   */
  constructor(url: string | URL, { withCredentials = false, linger = 10_000, share, transport }: StreamClientOptions = {}) {
    if (transport && (share !== undefined || withCredentials)) throw new TypeError('a transport excludes share and withCredentials')
    this.#linger = linger
    const address = (this.#address = checkAddress(String(url)))
    this.#transport = transport ?? eventSource(withCredentials)
    const receiver: Receiver = {
      statusChanged: (status) => this.#tellStatus(status),
      opened: () => this.#eachOnConnection((followed) => followed.recover()),
      state: (name, value) => this.#followed.get(name)?.receive(value),
      discarded: (name) => this.#followed.get(name)?.discard(),
      problem: (name, problem) => this.#followed.get(name)?.setProblem(problem),
      failed: (problem) => this.#eachOnConnection((followed) => followed.fail(problem)),
    }
    this.#connection =
      share !== undefined && canShare()
        ? new SharedConnection(address, withCredentials, share, receiver)
        : new Connection(address, this.#transport, receiver)
  }

  get status(): ConnectionStatus {
    return this.#connection.status
  }

  /** Calls the listener with every change of the status. The returned function removes it. */
  onStatus(listener: (status: ConnectionStatus) => void): () => void {
    const added = (status: ConnectionStatus) => listener(status)
    this.#statusListeners.add(added)
    return () => void this.#statusListeners.delete(added)
  }

  /**
   * Follows a stream until the returned function is called. A stream may have
   * several listeners. A new one is called with the last state or problem at
   * once, if there is one. Values are not checked against T.
   *
   * Subscriptions that change at about the same time cost one reconnect, which
   * resumes the connection. Only the first 16 streams are followed; the
   * listeners of others receive a problem until there is room. A stream that the
   * server refuses is asked for again.
   *
   * Throws if the name is not allowed (empty, `open`, `error`, `message`,
   * `problem`, `heartbeat`, `append ` before another name, or not well-formed
   * Unicode), or if the client is closed.
   */
  subscribe<T>(name: string, listener: StreamListener<T>): () => void {
    if (this.#closed) throw new Error('subscribe: the stream client is closed')
    checkName(name)
    let followed = this.#followed.get(name)
    if (!followed) this.#followed.set(name, (followed = new Followed()))
    this.#scheduleChange()
    const remove = followed.add(listener as StreamListener<unknown>)
    this.#connection.retry(name)
    return () => {
      if (remove() && !followed.subscribed) this.#left()
    }
  }

  /**
   * Shows a change of a stream's state at once, sends the write, and shows the
   * change until a state comes that has the write, or until it has failed:
   * `write` rejects, or its response is not ok. Meanwhile other states of the
   * stream wait. Resolves or rejects as `write` does.
   *
   * A state has the write when a plain request with the response's header
   * `Feedmill-Token` says so. Before the first state only the write is sent.
   * `change` returns a new state and must not change its argument. It may be called several times.
   */
  async mutate<T, R extends Written = Response>(name: string, change: (state: T) => T, write: () => Promise<R>): Promise<R> {
    const end = this.#followed.get(name)?.change(change as (state: unknown) => unknown, (tokens) => {
      const query = tokens.map((token) => `&feedmill_token=${encodeURIComponent(token)}`).join('')
      return ask(this.#transport, answerAddress(this.#address, [name]) + query, new AbortController(), Infinity)
    })
    let written: R | undefined
    try {
      return (written = await write())
    } finally {
      end?.(written)
    }
  }

  /**
   * Opens a new connection, which resumes: the server authorizes all streams
   * anew, and sends what has changed. Call it after a login, and when a token
   * was renewed. What is shown stays.
   */
  reconnect(): void {
    this.#connection.reconnect()
  }

  /**
   * Discards all states and opens a new connection. Call it after a logout, so
   * that nothing of the user stays.
   */
  reset(): void {
    for (const followed of [...this.#followed.values()]) followed.discard()
    this.#connection.reset()
  }

  /** @internal The user has returned to a page. */
  returned(): void {
    this.#connection.returned()
  }

  /** Ends the connection for good. The status becomes `idle`; no listener is called after that. */
  close(): void {
    this.#closed = true
    clearTimeout(this.#changing)
    clearTimeout(this.#lingering)
    for (const followed of this.#followed.values()) followed.close()
    this.#followed.clear()
    this.#names = []
    this.#connection.follow([])
    this.#statusListeners.clear()
  }

  #left(): void {
    clearTimeout(this.#lingering)
    this.#lingering = undefined
    if (this.#linger > 0) {
      this.#lingering = setTimeout(() => {
        this.#lingering = undefined
        this.#change()
      }, this.#linger)
    }
    this.#scheduleChange()
  }

  /** Schedules one change for all subscriptions that change within one turn. */
  #scheduleChange(): void {
    this.#changing ??= setTimeout(() => this.#change(), 0)
  }

  /** Makes the connection follow the subscribed streams and, if there is room, those that linger. */
  #change(): void {
    clearTimeout(this.#changing)
    this.#changing = undefined
    const names = [...this.#followed.keys()]
    const subscribed = names.filter((name) => this.#followed.get(name)?.subscribed)
    const followed = subscribed.slice(0, maxStreams)
    const left = names.filter((name) => !subscribed.includes(name))
    const removed = this.#lingering === undefined ? left.length : Math.max(0, left.length + followed.length - maxStreams)
    for (const name of left.splice(0, removed)) {
      this.#followed.get(name)?.forgetChanges()
      this.#followed.delete(name)
      this.#connection.forget(name)
    }
    this.#connect([...followed, ...left])
    for (const name of subscribed.slice(maxStreams)) this.#followed.get(name)?.fail(tooManyStreams)
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
    for (const listener of [...this.#statusListeners]) if (this.#statusListeners.has(listener)) call(() => listener(status))
  }
}
