/**
 * An EventSource for tests of pages. The test acts as the server. Replace the
 * global one, for example by `vi.stubGlobal('EventSource', FakeEventSource)`,
 * and call `reset` before each test.
 */
export class FakeEventSource extends EventTarget {
  static readonly CONNECTING = 0
  static readonly OPEN = 1
  static readonly CLOSED = 2

  /** All sources since the last reset. */
  static all: FakeEventSource[] = []

  /** All sources that are connected or connecting. */
  static get active(): FakeEventSource[] {
    return FakeEventSource.all.filter((source) => source.readyState !== FakeEventSource.CLOSED)
  }

  /** The newest source. Throws if there is none. */
  static get latest(): FakeEventSource {
    const latest = FakeEventSource.all.at(-1)
    if (!latest) throw new Error('no EventSource was opened')
    return latest
  }

  static reset(): void {
    FakeEventSource.all = []
  }

  readonly url: string
  readonly withCredentials: boolean
  readyState: number = FakeEventSource.CONNECTING
  #lastEventId = ''

  constructor(url: string | URL, { withCredentials = false }: EventSourceInit = {}) {
    super()
    this.url = String(url)
    this.withCredentials = withCredentials
    FakeEventSource.all.push(this)
  }

  /** The requested streams. */
  get streams(): string[] {
    return this.#query.getAll('stream')
  }

  /** The event id that it resumes from, or null. */
  get resumedFrom(): string | null {
    return this.#query.get('lastEventId')
  }

  get #query(): URLSearchParams {
    return new URL(this.url, 'http://test').searchParams
  }

  /** The server accepts the connection. This and the following methods do nothing on a closed source. */
  accept(): void {
    this.#become(FakeEventSource.OPEN, 'open')
    this.heartbeat()
  }

  /** The server has too many streams: it accepts the connection and ends it. The browser reconnects. */
  turnAway(): void {
    this.#become(FakeEventSource.OPEN, 'open')
    this.cut()
  }

  /** The server sends a heartbeat. With an interval, it promises one every so many milliseconds. */
  heartbeat(interval?: number): void {
    this.sendRaw('heartbeat', interval === undefined ? '' : String(interval))
  }

  /** The server sends a stream's state. */
  send(stream: string, state: unknown, id?: string): void {
    this.sendRaw(stream, JSON.stringify(state), id)
  }

  /** The server sends what was appended to the text of a stream. */
  append(stream: string, end: string, id?: string): void {
    this.sendRaw(`append ${stream}`, JSON.stringify(end), id)
  }

  /** The server has no state for a stream. */
  sendProblem(stream: string, status: number, title = `Problem ${status}`, id?: string): void {
    this.send('problem', { stream, type: 'about:blank', status, title }, id)
  }

  /** The server sends an event with any data. */
  sendRaw(event: string, data: string, id = this.#lastEventId): void {
    if (this.readyState === FakeEventSource.CLOSED) return
    this.#lastEventId = id
    this.dispatchEvent(new MessageEvent(event, { data, lastEventId: id }))
  }

  /** The connection is cut. The browser reconnects. */
  cut(): void {
    this.#become(FakeEventSource.CONNECTING, 'error')
  }

  /** The server sends an error status. The browser gives up. */
  refuse(): void {
    this.#become(FakeEventSource.CLOSED, 'error')
  }

  close(): void {
    this.readyState = FakeEventSource.CLOSED
  }

  #become(readyState: number, event: string): void {
    if (this.readyState === FakeEventSource.CLOSED) return
    this.readyState = readyState
    this.dispatchEvent(new Event(event))
  }
}
