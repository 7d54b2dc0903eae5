import { vi } from 'vitest'

/** An EventSource whose server is the test. */
export class FakeEventSource extends EventTarget {
  static readonly CONNECTING = 0
  static readonly OPEN = 1
  static readonly CLOSED = 2
  static all: FakeEventSource[] = []

  readyState = FakeEventSource.CONNECTING

  constructor(readonly url: string) {
    super()
    FakeEventSource.all.push(this)
  }

  /** Those that hold a connection or try to. */
  static get active(): FakeEventSource[] {
    return FakeEventSource.all.filter((source) => source.readyState !== FakeEventSource.CLOSED)
  }

  static get latest(): FakeEventSource {
    const latest = FakeEventSource.all.at(-1)
    if (!latest) throw new Error('no EventSource was opened')
    return latest
  }

  static install(): void {
    FakeEventSource.all = []
    vi.stubGlobal('EventSource', FakeEventSource)
  }

  accept(): void {
    this.readyState = FakeEventSource.OPEN
    this.dispatchEvent(new Event('open'))
  }

  send(state: unknown): void {
    this.sendRaw(JSON.stringify(state))
  }

  sendRaw(data: string): void {
    this.dispatchEvent(new MessageEvent('data', { data }))
  }

  /** The connection is cut; the browser reconnects by itself. */
  cut(): void {
    this.readyState = FakeEventSource.CONNECTING
    this.dispatchEvent(new Event('error'))
  }

  /** An error status; the browser gives up. */
  refuse(): void {
    this.readyState = FakeEventSource.CLOSED
    this.dispatchEvent(new Event('error'))
  }

  close(): void {
    this.readyState = FakeEventSource.CLOSED
  }
}
