import { backoffDelay } from './backoff.js'
import { EventParser } from './parser.js'
import type { EventStream, Transport } from './transport.js'

/**
 * Returns the transport of `fetch`, for `StreamClientOptions.transport`. The
 * function is called for every request, also for each reconnect, and returns
 * what to send with it: headers, credentials, a method, a body. If it throws
 * or rejects, the request counts as one that did not reach the server.
 *
 *     const transport = byFetch(async () => ({ headers: { Authorization: `Bearer ${await token()}` } }))
 */
export function byFetch(request: () => RequestInit | Promise<RequestInit>): Transport {
  const send: Send = async (address, { headers: added, ...own }) => {
    const { headers: asked, ...init } = await request()
    const headers = new Headers(asked)
    new Headers(added).forEach((value, name) => headers.set(name, value))
    return fetch(address, { ...init, ...own, headers, cache: 'no-store' })
  }
  return { open: (address) => new FetchStream(address, send), ask: send }
}

type Send = (address: string, init: RequestInit) => Promise<Response>

const [connecting, open, closed] = [0, 1, 2]

/** The wait before a reconnect, in milliseconds, if the server does not say one. */
const defaultRetry = 3_000

/** Reads a stream by fetch, and reconnects as an EventSource does. */
class FetchStream implements EventStream {
  readonly #target = new EventTarget()
  readonly #address: string
  readonly #send: Send
  readonly #closing = new AbortController()
  #readyState = connecting
  #lastEventId = ''
  #retry = defaultRetry
  /** Attempts since the stream was open. */
  #attempts = 0

  constructor(address: string, send: Send) {
    this.#address = address
    this.#send = send
    void this.#connect()
  }

  get readyState(): number {
    return this.#readyState
  }

  addEventListener(type: string, listener: (event: MessageEvent<string>) => void): void {
    this.#target.addEventListener(type, listener as EventListener)
  }

  close(): void {
    this.#readyState = closed
    this.#closing.abort()
  }

  async #connect(): Promise<void> {
    try {
      const response = await this.#request()
      if (this.#readyState === closed) return
      if (!response.body || !isStream(response)) {
        this.close()
        this.#target.dispatchEvent(new Event('error'))
        return
      }
      this.#attempts = 0
      this.#readyState = open
      this.#target.dispatchEvent(new Event('open'))
      await this.#read(response.body)
    } catch {
      // The server was not reached, or the stream broke off. A compressed one always does: it has no trailer.
    }
    this.#lost()
  }

  #request(): Promise<Response> {
    const headers = new Headers({ Accept: 'text/event-stream' })
    if (this.#lastEventId) headers.set('Last-Event-ID', asHeader(this.#lastEventId))
    return this.#send(this.#address, { headers, signal: this.#closing.signal })
  }

  async #read(body: ReadableStream<Uint8Array>): Promise<void> {
    const reader = body.getReader()
    const parser = new EventParser(this.#lastEventId)
    for (;;) {
      const { done, value } = await reader.read()
      if (done) return
      for (const { type, data, lastEventId } of parser.parse(value)) {
        if (this.#readyState === closed) return
        this.#target.dispatchEvent(new MessageEvent(type, { data, lastEventId }))
      }
      this.#lastEventId = parser.lastEventId
      this.#retry = parser.retry ?? this.#retry
    }
  }

  #lost(): void {
    if (this.#readyState === closed) return
    this.#readyState = connecting
    this.#target.dispatchEvent(new Event('error'))
    const delay = Math.max(this.#retry, this.#attempts > 0 ? backoffDelay(this.#attempts) : 0)
    this.#attempts++
    setTimeout(() => this.#readyState === closed || void this.#connect(), delay)
  }
}

function isStream({ status, headers }: Response): boolean {
  return status === 200 && /^text\/event-stream *(;|$)/i.test(headers.get('Content-Type') ?? '')
}

/** Returns text as the bytes of its UTF-8, as an EventSource sends it. */
function asHeader(text: string): string {
  return String.fromCharCode(...new TextEncoder().encode(text))
}
