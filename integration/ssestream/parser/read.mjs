// Reads an event stream with eventsource-parser, cut into chunks in several ways, and writes what it dispatched.
// Standard input: {"stream": base64, "chunkings": [[size of a chunk, ...], ...]}; sizes start over when they end.
// Standard output: for each of the chunkings the list of events, [{"type", "data", "id"}, ...].
import { readFileSync } from 'node:fs'
import { createParser } from 'eventsource-parser'

const input = JSON.parse(readFileSync(0, 'utf8'))
const stream = Buffer.from(input.stream, 'base64')

function read(sizes) {
  const events = []
  let lastEventId = ''
  const parser = createParser({
    onEvent({ event, data, id }) {
      lastEventId = id ?? lastEventId
      events.push({ type: event ?? 'message', data, id: lastEventId })
    },
    onError(error) {
      throw error // an unknown field, for one: something got out of its line
    },
  })
  const decoder = new TextDecoder()
  for (let at = 0, i = 0; at < stream.length; at += sizes[i++ % sizes.length]) {
    const chunk = stream.subarray(at, at + sizes[i % sizes.length])
    parser.feed(decoder.decode(chunk, { stream: true }))
  }
  return events
}

process.stdout.write(JSON.stringify(input.chunkings.map(read)))
