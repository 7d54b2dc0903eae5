// @vitest-environment node
import { createServer } from 'node:http'
import type { IncomingMessage, RequestListener, Server, ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { createGzip } from 'node:zlib'
import { afterEach, expect, it, vi } from 'vitest'
import { byFetch } from '../src/fetch.js'
import type { EventStream } from '../src/transport.js'

let server: Server | undefined
const opened: EventStream[] = []

afterEach(async () => {
  for (const stream of opened.splice(0)) stream.close()
  server?.closeAllConnections()
  await new Promise((resolve) => (server ? server.close(resolve) : resolve(undefined)))
  server = undefined
})

/** Serves the requests one after the other, and the last of them again. Returns the address, and the requests. */
async function serve(...answers: RequestListener[]) {
  const requests: IncomingMessage[] = []
  server = createServer((request, response) => {
    requests.push(request)
    answers[Math.min(requests.length, answers.length) - 1]!(request, response)
  })
  await new Promise<void>((resolve) => server!.listen(0, '127.0.0.1', resolve))
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/`, requests }
}

const begin = (response: ServerResponse, type = 'text/event-stream', status = 200) => {
  response.writeHead(status, { 'Content-Type': type })
}

/** Opens the stream, and records what it tells. */
function listen(url: string, request: Parameters<typeof byFetch>[0] = () => ({})) {
  const stream = byFetch(request).open(url)
  opened.push(stream)
  const told: string[] = []
  for (const type of ['open', 'error']) stream.addEventListener(type, () => told.push(`${type} ${stream.readyState}`))
  for (const type of ['message', 'a']) {
    stream.addEventListener(type, ({ data, lastEventId }) => told.push(`${type} ${data} ${lastEventId}`))
  }
  return { stream, told }
}

const until = (condition: () => void) => vi.waitFor(condition, { timeout: 20_000, interval: 5 })

it('resumes after a cut, with headers that are asked for anew', async () => {
  const { url, requests } = await serve(
    (_, response) => (begin(response), response.write('retry: 10\n\nid: é1\nevent: a\ndata: x\n\nid: 2\ndata: half'), response.end()),
    (_, response) => (begin(response), response.write('data: y\n\n')),
  )
  let asked = 0
  const { told } = listen(url, async () => ({ headers: { Authorization: `Bearer ${++asked}`, Accept: 'image/png' } }))
  await until(() => expect(told).toEqual(['open 1', 'a x é1', 'error 0', 'open 1', 'message y é1']))
  expect(requests.map(({ headers }) => headers.authorization)).toEqual(['Bearer 1', 'Bearer 2'])
  expect(requests.map(({ headers }) => headers.accept)).toEqual(['text/event-stream', 'text/event-stream'])
  expect(requests.map(({ headers }) => headers['last-event-id'] && Buffer.from(headers['last-event-id'] as string, 'latin1').toString())).toEqual([undefined, 'é1'])
})

it('takes a compressed stream without a trailer as a disconnect', async () => {
  const { url, requests } = await serve((_, response) => {
    response.writeHead(200, { 'Content-Type': 'text/event-stream', 'Content-Encoding': 'gzip' })
    const gzip = createGzip()
    gzip.on('data', (chunk: Buffer) => response.write(chunk))
    gzip.write(`retry: 10\n\nid: 1\ndata: x\n\n`)
    gzip.flush(() => response.end())
  })
  const { told } = listen(url)
  await until(() => expect(told.slice(0, 6)).toEqual(['open 1', 'message x 1', 'error 0', 'open 1', 'message x 1', 'error 0']))
  expect(requests[1]!.headers['last-event-id']).toBe('1')
})

it('is sent as it was asked for', async () => {
  const bodies: string[] = []
  const { url, requests } = await serve((request, response) => {
    request.on('data', (chunk: Buffer) => bodies.push(String(chunk)))
    begin(response)
    response.write('data: x\n\n')
  })
  const { told } = listen(url, () => ({ method: 'POST', body: '{"only":"mine"}', headers: { 'Content-Type': 'application/json' } }))
  await until(() => expect(told).toContain('message x '))
  expect(requests[0]!.method).toBe('POST')
  expect(bodies).toEqual(['{"only":"mine"}'])
})

it.each([
  ['another status', 401, 'text/event-stream'],
  ['no content', 204, 'text/event-stream'],
  ['another type', 200, 'text/event-streams'],
])('gives up after %s', async (_, status, type) => {
  const { url, requests } = await serve((_, response) => (begin(response, type, status), response.end()))
  const { told, stream } = listen(url)
  await until(() => expect(told).toEqual(['error 2']))
  expect(stream.readyState).toBe(2)
  expect(requests).toHaveLength(1)
})

it('tries again when the server is not reached, and when there is no token', async () => {
  const { url } = await serve((_, response) => (begin(response, 'Text/Event-Stream; charset=utf-8'), response.write('data: x\n\n')))
  let asked = 0
  const tokens = () => (++asked === 1 ? Promise.reject(new Error('no token')) : Promise.resolve({}))
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] })
  const { told } = listen(url, tokens)
  await vi.advanceTimersByTimeAsync(30_000)
  vi.useRealTimers()
  await until(() => expect(told).toEqual(['error 0', 'open 1', 'message x ']))
  const nobody = listen('http://127.0.0.1:9/')
  await until(() => expect(nobody.told).toEqual(['error 0']))
})

it('is told nothing after it was closed', async () => {
  let ended = false
  const { url } = await serve((_, response) => {
    begin(response)
    response.write('data: x\n\ndata: y\n\n')
    response.on('close', () => (ended = true))
  })
  const { told, stream } = listen(url)
  stream.addEventListener('message', () => stream.close())
  await until(() => expect(ended).toBe(true))
  expect(told).toEqual(['open 1', 'message x '])
})
