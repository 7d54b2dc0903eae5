import { Connection } from './connection.js'
import type { FromHub, ToHub } from './hub.js'
import type { Link } from './link.js'
import { watchPage } from './page.js'
import type { Receiver } from './receiver.js'
import { lostStatus } from './status.js'
import type { ConnectionStatus } from './status.js'
import { eventSource } from './transport.js'

/** How many milliseconds the worker may take to start, before the page connects by itself. */
const patience = 5_000

/** Changes when the messages between pages and worker do, so that pages of two releases do not share a worker. */
const release = 2

/** Returns whether pages of this browser can share a connection. */
export function canShare(): boolean {
  return typeof SharedWorker !== 'undefined' && typeof navigator !== 'undefined' && 'locks' in navigator
}

/**
 * Follows streams over the connections of a shared worker, which all pages with
 * the same address and share use. A page that cannot have the worker connects
 * by itself.
 *
 * A page and the worker each hold a lock while they live, so that the other
 * notices when it ends, be it by a crash.
 */
export class SharedConnection implements Link {
  readonly #url: string
  readonly #withCredentials: boolean
  readonly #share: string
  readonly #receiver: Receiver

  #status: ConnectionStatus = 'idle'
  #names: readonly string[] = []
  #membership: Membership | undefined
  /** The page's own connection, if it cannot have the worker. */
  #own: Connection | undefined
  #left = false
  #stopWatching: (() => void) | undefined

  constructor(url: string, withCredentials: boolean, share: string, receiver: Receiver) {
    this.#url = url
    this.#withCredentials = withCredentials
    this.#share = share
    this.#receiver = receiver
  }

  get status(): ConnectionStatus {
    return this.#status
  }

  follow(names: readonly string[]): void {
    this.#names = names
    if (this.#own) return this.#own.follow(names)
    if (names.length === 0) {
      this.#leave()
      this.#enter('idle')
      this.#stopWatching?.()
      this.#stopWatching = undefined
      this.#left = false
      return
    }
    this.#stopWatching ??= watchPage({
      networkChanged: () => {}, // The worker notices by itself.
      returned: () => this.returned(),
      left: () => {
        this.#left = true
        this.#leave()
      },
      restored: () => {
        this.#left = false
        this.#join('connecting')
      },
    })
    if (this.#membership) this.#membership.send({ follow: names })
    else if (!this.#left) this.#join('connecting')
  }

  forget(name: string): void {
    this.#own?.forget(name) // The worker keeps a state only while it is followed.
  }

  retry(name: string): void {
    if (this.#own) this.#own.retry(name)
    else this.#membership?.send({ retry: name })
  }

  reconnect(): void {
    if (this.#own) this.#own.reconnect()
    else if (this.#membership) this.#membership.send({ reconnect: true })
    else if (!this.#left) this.#join('idle', { reconnect: true })
  }

  reset(): void {
    if (this.#own) return this.#own.reset()
    if (this.#left) return
    // What is on its way from the worker is not received.
    this.#leave()
    this.#join(this.#names.length > 0 ? 'connecting' : 'idle', { reset: true })
  }

  returned(): void {
    if (this.#own) this.#own.returned()
    else this.#membership?.send({ returned: true })
  }

  /** Joins the worker, and tells it something for all pages. A page that follows nothing leaves again when the worker answers. */
  #join(status: ConnectionStatus, message?: ToHub): void {
    this.#enter(status)
    // The worker's connection is that of the page's address, which may be relative.
    const url = new URL(this.#url, document.baseURI).href
    let membership: Membership
    const member: Member = {
      received: (message) => membership === this.#membership && this.#receive(message),
      ended: () => {
        if (membership !== this.#membership) return
        this.#leave()
        if (this.#names.length > 0) this.#join(lostStatus())
      },
      unavailable: () => {
        if (membership !== this.#membership) return
        this.#leave()
        this.#connect()
      },
    }
    try {
      membership = new Membership(`feedmill-streams ${release} ${this.#share}`, member)
    } catch {
      return this.#connect() // The page must not have workers.
    }
    this.#membership = membership
    membership.send({ join: { url, withCredentials: this.#withCredentials } })
    if (message) membership.send(message)
    membership.send({ follow: this.#names })
  }

  #leave(): void {
    this.#membership?.end()
    this.#membership = undefined
  }

  #connect(): void {
    this.#stopWatching?.()
    this.#stopWatching = undefined
    this.#own = new Connection(this.#url, eventSource(this.#withCredentials), {
      ...this.#receiver,
      statusChanged: (status) => this.#enter(status),
    })
    this.#own.follow(this.#names)
  }

  #receive(message: FromHub): void {
    if ('status' in message) {
      this.#enter(message.status)
      if (this.#names.length === 0) this.#leave()
    } else if ('discarded' in message) this.#receiver.discarded(message.stream)
    else if ('state' in message) this.#receiver.state(message.stream, message.state)
    else this.#receiver.problem(message.stream, message.problem)
  }

  #enter(status: ConnectionStatus): void {
    if (status === this.#status) return
    this.#status = status
    this.#receiver.statusChanged(status)
  }
}

/** Receives what comes from the worker, until the membership ends. */
interface Member {
  received(message: FromHub): void
  /** The worker has ended. */
  ended(): void
  /** There is no worker: its script cannot be loaded, it cannot connect, or the browser refuses a lock. */
  unavailable(): void
}

/** A page's use of the worker. */
class Membership {
  readonly #worker: SharedWorker
  readonly #lock = `feedmill-streams page ${crypto.randomUUID()}`
  readonly #ending = new AbortController()
  readonly #ended = new Promise((resolve) => this.#ending.signal.addEventListener('abort', resolve))
  readonly #timer: ReturnType<typeof setTimeout>
  /** What is sent once the page has its lock. */
  #waiting: ToHub[] | undefined = []

  constructor(name: string, member: Member) {
    this.#worker = new SharedWorker(new URL('./worker.js', import.meta.url), { type: 'module', name })
    const unavailable = () => member.unavailable()
    this.#worker.addEventListener('error', unavailable)
    this.#timer = setTimeout(unavailable, patience)
    this.#worker.port.onmessage = ({ data }: MessageEvent<FromHub | { lock: string | undefined }>) => {
      if (!('lock' in data)) return member.received(data)
      clearTimeout(this.#timer)
      if (data.lock === undefined) return unavailable()
      // It is also refused when the membership has ended, which the member knows.
      navigator.locks.request(data.lock, { signal: this.#ending.signal }, () => {}).then(() => member.ended(), unavailable)
    }
    // Also after the end: what was sent before, such as a reset for all pages, still comes to the worker, and before the
    // lock is free.
    navigator.locks.request(this.#lock, async () => {
      const waiting = [...this.#waiting!, { lock: this.#lock }]
      this.#waiting = undefined
      for (const message of waiting) this.send(message)
      await this.#ended
      this.#worker.port.close()
    }).catch(unavailable)
  }

  send(message: ToHub): void {
    if (this.#waiting) this.#waiting.push(message)
    else this.#worker.port.postMessage(message)
  }

  /** Ends the membership. The worker notices by the lock. */
  end(): void {
    clearTimeout(this.#timer)
    this.#ending.abort()
  }
}
