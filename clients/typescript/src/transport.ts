/** A stream of server-sent events that reconnects by itself, as an EventSource does. */
export interface EventStream {
  /** 0 while it connects, 1 when it is open, 2 when it has given up or is closed. */
  readonly readyState: number
  addEventListener(type: string, listener: (event: MessageEvent<string>) => void): void
  close(): void
}

/** Sends the requests of a client. */
export interface Transport {
  /** Opens the stream of an address. */
  open(address: string): EventStream
  /** Sends a plain request to an address, as `fetch` does. */
  ask(address: string, init: RequestInit): Promise<Response>
}

/** Returns the transport of EventSource. */
export function eventSource(withCredentials: boolean): Transport {
  return {
    open: (address) => new EventSource(address, { withCredentials }),
    ask: (address, init) => fetch(address, { ...init, credentials: withCredentials ? 'include' : 'same-origin' }),
  }
}
