import { StreamClient } from './client.js'
import type { StreamListener } from './followed.js'
import type { Problem } from './problem.js'
import type { ConnectionStatus } from './status.js'
import { maxStreams } from './wire.js'

/** What a page sends to the worker. The address comes first, the lock with it. */
export type ToHub =
  | { lock: string }
  | { join: { url: string; withCredentials: boolean } }
  | { follow: readonly string[] }
  | { retry: string }
  | { returned: true }
  | { reconnect: true }
  | { reset: true }

/** What the worker sends to a page. */
export type FromHub =
  | { status: ConnectionStatus }
  | { stream: string; state: unknown }
  | { stream: string; discarded: true }
  | { stream: string; problem: Problem }

/** A browser allows six connections to a host with HTTP/1.1. */
const maxConnections = 4

/** Shares connections between the pages of a browser. It runs in the shared worker. */
export class Hub {
  readonly #sites = new Map<string, Site>()
  /** Resolves with the lock that the worker holds while it lives, or undefined if it cannot connect. */
  readonly #lock = typeof EventSource === 'undefined' ? Promise.resolve(undefined) : hold()

  /** Serves the page at the other end of the port until the page ends. */
  async serve(port: MessagePort): Promise<void> {
    const lock = await this.#lock
    let page: Page | undefined
    port.onmessage = ({ data }: MessageEvent<ToHub>) => {
      if ('lock' in data) {
        void navigator.locks.request(data.lock, () => {
          page?.follow([])
          port.close()
        })
      } else if ('join' in data) page = new Page(port, this.#site(data.join))
      else if ('follow' in data) page?.follow(data.follow)
      else if ('retry' in data) page?.retry(data.retry)
      else if ('reconnect' in data) page?.site.each((client) => client.reconnect())
      else if ('reset' in data) page?.site.each((client) => client.reset())
      else page?.site.each((client) => client.returned())
    }
    port.postMessage({ lock })
  }

  #site({ url, withCredentials }: { url: string; withCredentials: boolean }): Site {
    const key = `${withCredentials} ${url}`
    let site = this.#sites.get(key)
    if (!site) this.#sites.set(key, (site = new Site(url, withCredentials)))
    return site
  }
}

/** Takes a lock that is never released. */
function hold(): Promise<string> {
  const lock = `feedmill-streams worker ${crypto.randomUUID()}`
  return new Promise((resolve) => {
    void navigator.locks.request(lock, () => {
      resolve(lock)
      return new Promise<never>(() => {})
    })
  })
}

/** One page. */
class Page {
  readonly #port: MessagePort
  readonly site: Site
  readonly #leaves = new Map<string, () => void>()
  #status: ConnectionStatus | undefined

  constructor(port: MessagePort, site: Site) {
    this.#port = port
    this.site = site
  }

  follow(names: readonly string[]): void {
    if (this.#leaves.size === 0 && names.length > 0) this.site.pages.add(this)
    for (const [name, leave] of this.#leaves) {
      if (names.includes(name)) continue
      this.#leaves.delete(name)
      leave()
    }
    for (const stream of names) {
      if (this.#leaves.has(stream)) continue
      const leave = this.site.subscribe(stream, {
        state: (state) => this.#tell({ stream, state }),
        problem: (problem) => this.#tell({ stream, problem }),
        discarded: () => this.#tell({ stream, discarded: true }),
      })
      this.#leaves.set(stream, leave)
    }
    if (this.#leaves.size === 0) this.site.pages.delete(this)
    this.tellStatus()
  }

  retry(name: string): void {
    if (this.#leaves.has(name)) this.site.subscribe(name, { state: () => {} })()
  }

  /** Tells the page the status of its streams, if that has changed. */
  tellStatus(): void {
    const status = this.site.statusOf(this.#leaves.keys())
    if (status === this.#status) return
    this.#status = status
    this.#tell({ status })
  }

  #tell(message: FromHub): void {
    this.#port.postMessage(message)
  }
}

/** The streams of one address, over as few connections as can carry them. */
class Site {
  readonly pages = new Set<Page>()
  readonly #url: string
  readonly #withCredentials: boolean
  readonly #clients: StreamClient[] = []
  readonly #carried = new Map<string, { client: StreamClient; listeners: number }>()

  constructor(url: string, withCredentials: boolean) {
    this.#url = url
    this.#withCredentials = withCredentials
  }

  subscribe(name: string, listener: StreamListener<unknown>): () => void {
    let carried = this.#carried.get(name)
    if (!carried) this.#carried.set(name, (carried = { client: this.#roomiest(), listeners: 0 }))
    carried.listeners++
    const leave = carried.client.subscribe(name, listener)
    return () => {
      leave()
      if (--carried.listeners === 0) this.#carried.delete(name)
    }
  }

  each(tell: (client: StreamClient) => void): void {
    for (const client of this.#clients) tell(client)
  }

  /** Returns the status of the streams: live if all of them are. */
  statusOf(names: Iterable<string>): ConnectionStatus {
    const all = [...names].map((name) => this.#carried.get(name)?.client.status ?? 'idle')
    return all.find((status) => status !== 'live') ?? all[0] ?? 'idle'
  }

  /** Returns the first client that has room, or the last one. */
  #roomiest(): StreamClient {
    const load = new Map<StreamClient, number>()
    for (const { client } of this.#carried.values()) load.set(client, (load.get(client) ?? 0) + 1)
    const found = this.#clients.find((client) => (load.get(client) ?? 0) < maxStreams)
    return found ?? (this.#clients.length < maxConnections ? this.#connect() : this.#clients.at(-1)!)
  }

  #connect(): StreamClient {
    const client = new StreamClient(this.#url, { withCredentials: this.#withCredentials })
    client.onStatus(() => {
      for (const page of this.pages) page.tellStatus()
    })
    this.#clients.push(client)
    return client
  }
}
