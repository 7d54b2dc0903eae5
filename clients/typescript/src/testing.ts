/**
 * An EventSource for tests of pages, whose server is the test. Put it in the
 * place of the global one, for example by `vi.stubGlobal('EventSource',
 * FakeEventSource)`, and call `reset` before each test.
 */
export class FakeEventSource extends EventTarget {
  static readonly CONNECTING = 0
  static readonly OPEN = 1
  static readonly CLOSED = 2

  /** All that were made since the last reset. */
  static all: FakeEventSource[] = []

  /** Those that hold a connection or try to. */
  static get active(): FakeEventSource[] {
    return FakeEventSource.all.filter((source) => source.readyState !== FakeEventSource.CLOSED)
  }

  /** The one made last; throws when there is none. */
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

  /** The streams that were asked for. */
  get streams(): string[] {
    return this.#query.getAll('stream')
  }

  /** The event id that it was asked to go on from, or null. */
  get resumedFrom(): string | null {
    return this.#query.get('lastEventId')
  }

  get #query(): URLSearchParams {
    return new URL(this.url, 'http://test').searchParams
  }

  /** The server accepts the connection. Like all that follows, nothing happens once it is closed. */
  accept(): void {
    this.#become(FakeEventSource.OPEN, 'open')
  }

  /** The server sends a stream's state. */
  send(stream: string, state: unknown, id?: string): void {
    this.sendRaw(stream, JSON.stringify(state), id)
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

  /** The connection is cut; the browser reconnects by itself. */
  cut(): void {
    this.#become(FakeEventSource.CONNECTING, 'error')
  }

  /** The server answers an error status; the browser gives up. */
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
