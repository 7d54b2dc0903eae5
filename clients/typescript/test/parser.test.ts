import { describe, expect, it } from 'vitest'
import { randomOf } from './random.js'
import { EventParser } from '../src/parser.js'
import type { ParsedEvent } from '../src/parser.js'

const encode = (text: string) => new TextEncoder().encode(text)

/** Parses the chunks one after the other. */
function parse(...chunks: Uint8Array[]): ParsedEvent[] {
  const parser = new EventParser()
  return chunks.flatMap((chunk) => parser.parse(chunk))
}

const event = (data: string, type = 'message', lastEventId = '') => ({ type, data, lastEventId })

// Each with the section of the standard.
const cases: Record<string, [stream: string, events: ParsedEvent[]]> = {
  '9.2.6 an event has a type, an id and data': ['event: a\nid: 1\ndata: x\n\n', [event('x', 'a', '1')]],
  '9.2.6 lines of data are joined': ['data: x\ndata: y\ndata\ndata:\n\n', [event('x\ny\n\n')]],
  '9.2.6 one space after the colon is not of the value': ['data:  x\ndata:y\n\n', [event(' x\ny')]],
  '9.2.6 an event with empty data is one': ['data\n\n', [event('')]],
  '9.2.6 a block without data is none': ['event: a\n\ndata: x\n\n', [event('x')]],
  '9.2.6 a block without data sets the id': ['id: 1\n\ndata: x\n\n', [event('x', 'message', '1')]],
  '9.2.6 an id stays until there is another': ['id: 1\ndata: x\n\ndata: y\n\nid\ndata: z\n\n', [event('x', 'message', '1'), event('y', 'message', '1'), event('z')]],
  '9.2.6 an id with NUL is ignored': ['id: 1\ndata: x\n\nid: 2\0\ndata: y\n\n', [event('x', 'message', '1'), event('y', 'message', '1')]],
  '9.2.6 what is not ended at the end is dropped': ['data: x\n\ndata: y\n', [event('x')]],
  '9.2.6 comments and unknown fields are ignored': [':\n: data: z\ndatum: z\nData: z\n data: z\ndata: x\n\n', [event('x')]],
  '9.2.5 LF, CR and CRLF end a line': ['data: x\rdata: y\r\ndata: z\n\r\ndata: 2\r\rdata: 3\r\n\r\n', [event('x\ny\nz'), event('2'), event('3')]],
  '9.2.5 a BOM at the beginning is dropped, and only there': ['\uFEFFdata: x\n\n\uFEFFdata: y\n\ndata: \uFEFF\n\n', [event('x'), event('\uFEFF')]],
  '9.2.5 other separators end no line': ['data: x\u2028y\u0085\v\f\n\n', [event('x\u2028y\u0085\v\f')]],
  'a name of several code units': ['event: 日本 😀\ndata: é😀\n\n', [event('é😀', '日本 😀')]],
  'a type that an object has by itself': ['event: __proto__\ndata: x\n\n', [event('x', '__proto__')]],
}

describe.each(Object.entries(cases))('%s', (_, [stream, events]) => {
  const bytes = encode(stream)

  it('in one chunk', () => expect(parse(bytes)).toEqual(events))

  it('cut at every byte', () => {
    for (let at = 0; at <= bytes.length; at++) {
      expect(parse(bytes.subarray(0, at), bytes.subarray(at)), `cut at ${at}`).toEqual(events)
    }
  })

  it('byte by byte', () => expect(parse(...Array.from(bytes, (byte) => Uint8Array.of(byte)))).toEqual(events))
})

it('returns an event with the chunk that ends it', () => {
  for (const end of ['\n', '\r', '\r\n']) {
    const parser = new EventParser()
    expect(parser.parse(encode(`data: x${end}`))).toEqual([])
    expect(parser.parse(encode(end))).toEqual([event('x')])
  }
})

it('takes CR and LF for one line end, also around an empty chunk', () => {
  expect(parse(encode('data: x\r'), encode(''), encode('\ndata: y\n\n'))).toEqual([event('x\ny')])
})

it('replaces bytes that are not UTF-8', () => {
  expect(parse(Uint8Array.of(...encode('data: '), 0xff, 0x0a, 0x0a))).toEqual([event('\uFFFD')])
})

it('goes on from an id, and keeps that of the last event that was complete', () => {
  const parser = new EventParser('0')
  expect(parser.parse(encode('data: x\n\nid: 1\ndata: y\n'))).toEqual([event('x', 'message', '0')])
  expect(parser.lastEventId).toBe('0')
  expect(parser.parse(encode('\n'))).toEqual([event('y', 'message', '1')])
  expect(parser.lastEventId).toBe('1')
})

it('reads reconnection times of digits alone', () => {
  const parser = new EventParser()
  parser.parse(encode('retry: 1500\nretry: 1e3\nretry: -1\nretry\n'))
  expect(parser.retry).toBe(1500)
})

/** Writes random events in one of the many ways that the standard allows, and cuts the bytes anywhere. */
function randomStream(random: () => number) {
  const pick = <T>(of: readonly T[]) => of[Math.floor(random() * of.length)]!
  const lineEnd = () => pick(['\n', '\r', '\r\n'])
  const word = () => Array.from({ length: Math.floor(4 * random()) }, () => pick(['a', ':', ' ', 'é', '日', '😀', '\uFEFF', '\0', '\u2028'])).join('')
  let stream = pick(['', '\uFEFF'])
  let lastEventId = ''
  const events: ParsedEvent[] = []
  for (let n = 0; n < 10; n++) {
    const lines = Array.from({ length: Math.floor(3 * random()) }, word)
    const fields = lines.map((line) => `data: ${line}`)
    const type = random() < 0.5 ? word() : ''
    if (type || random() < 0.2) fields.splice(Math.floor(random() * fields.length), 0, `event: ${type}`)
    if (random() < 0.5) {
      const id = word()
      fields.splice(Math.floor(random() * fields.length), 0, `id: ${id}`)
      if (!id.includes('\0')) lastEventId = id
    }
    if (random() < 0.3) fields.splice(Math.floor(random() * fields.length), 0, pick([`:${word()}`, `x${word()}`, 'retry: 5']))
    // A CR and the LF of the next, empty line would be one line end.
    const ends = fields.map(lineEnd)
    const last = ends.at(-1) === '\r' ? pick(['\r', '\r\n']) : lineEnd()
    stream += fields.map((field, i) => field + ends[i]).join('') + last
    if (stream.endsWith('\r')) stream += ':\n' // so that the next event does not begin with LF
    if (lines.length > 0) events.push({ type: type || 'message', data: lines.join('\n'), lastEventId })
  }
  const bytes = encode(stream)
  const chunks: Uint8Array[] = []
  for (let at = 0; at < bytes.length; ) {
    const length = Math.floor(1 + 12 * random())
    chunks.push(bytes.subarray(at, (at += length)))
  }
  return { events, chunks }
}

it.each(Array.from({ length: 1_000 }, (_, seed) => seed))('reads what was written (seed %d)', (seed) => {
  const { events, chunks } = randomStream(randomOf(seed))
  expect(parse(...chunks)).toEqual(events)
})
