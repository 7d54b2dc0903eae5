/** One event of a stream. */
export interface ParsedEvent {
  type: string
  data: string
  /** The id of this event, or of the last one before it that had one. */
  lastEventId: string
}

/**
 * Parses a stream of server-sent events as section 9.2.6 of the WHATWG HTML
 * standard says. An event is returned with the chunk that ends it.
 */
export class EventParser {
  /** The id of the last event that was complete. */
  lastEventId = ''
  /** The milliseconds that the server wants a client to wait before it reconnects. */
  retry: number | undefined

  // It drops a byte order mark at the beginning.
  readonly #decoder = new TextDecoder()
  /** The beginning of a line that has not ended. */
  #rest = ''
  /** The last line ended with CR. An LF that follows belongs to it. */
  #afterCR = false
  #type = ''
  #data: string[] = []
  #id: string

  /** The id is that of the last event of the connection before. */
  constructor(lastEventId = '') {
    this.lastEventId = this.#id = lastEventId
  }

  /** Returns the events that end in this chunk. */
  parse(chunk: Uint8Array): ParsedEvent[] {
    let text = this.#decoder.decode(chunk, { stream: true })
    if (!text) return []
    if (this.#afterCR && text.startsWith('\n')) text = text.slice(1)
    this.#afterCR = text.endsWith('\r')
    const [first = '', ...lines] = text.split(/\r\n?|\n/)
    lines.unshift(this.#rest + first)
    this.#rest = lines.pop()!
    return lines.flatMap((line) => this.#readLine(line))
  }

  #readLine(line: string): ParsedEvent[] {
    if (!line) return this.#end()
    const [name = ''] = line.split(':', 1)
    const value = line.slice(name.length + 1).replace(/^ /, '')
    if (name === 'data') this.#data.push(value)
    else if (name === 'event') this.#type = value
    else if (name === 'id' && !value.includes('\0')) this.#id = value
    else if (name === 'retry' && /^[0-9]+$/.test(value)) this.retry = Number(value)
    return []
  }

  /** Ends an event. One without data only sets the id. */
  #end(): ParsedEvent[] {
    const [type, data] = [this.#type || 'message', this.#data]
    this.#type = ''
    this.#data = []
    this.lastEventId = this.#id
    return data.length > 0 ? [{ type, data: data.join('\n'), lastEventId: this.lastEventId }] : []
  }
}
