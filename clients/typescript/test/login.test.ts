import { describe, expect, it, vi } from 'vitest'
import { answer, answers, follow, newClient, settle, streamsNow, unreachable, useFakeServer, wait } from './fixture.js'
import { locks, useFakeWorkers } from './sharing.js'
import { byFetch } from '../src/fetch.js'
import type { StreamClient } from '../src/index.js'
import { FakeEventSource } from '../src/testing.js'

useFakeServer()
useFakeWorkers()

/** Follows a stream, and records what the listener receives, and what it must not show any more. */
function followUser(client: StreamClient, name: string) {
  const told: unknown[] = []
  client.subscribe(name, {
    state: (value) => told.push(value),
    problem: ({ status }) => told.push(status),
    discarded: () => told.push('discarded'),
  })
  return told
}

describe.each([['a page', undefined], ['pages that share', 'alice']])('%s', (_, share) => {
  const newPage = () => newClient(share === undefined ? {} : { share })
  const told = () => wait(1)

  it('reconnects and resumes after a login, at once', async () => {
    const client = newPage()
    const a = followUser(client, 'a')
    const mine = followUser(client, 'mine')
    await told()
    FakeEventSource.latest.accept()
    FakeEventSource.latest.send('a', 1, 'a1')
    FakeEventSource.latest.sendProblem('mine', 401, 'Unauthorized', 'a1')
    await told()
    client.reconnect()
    await told()
    expect(FakeEventSource.all).toHaveLength(2)
    expect(streamsNow()).toEqual([['a', 'mine']])
    expect(FakeEventSource.latest.resumedFrom).toBe('a1')
    FakeEventSource.latest.accept()
    FakeEventSource.latest.send('mine', 2, 'a1,m2')
    await told()
    expect(a).toEqual([1])
    expect(mine).toEqual([401, 2])
    expect(client.status).toBe('live')
  })

  it('reconnects when all streams were refused', async () => {
    answers.mockResolvedValue(answer({}, [{ stream: 'mine', status: 401, title: 'Unauthorized' }]))
    const client = newPage()
    const mine = followUser(client, 'mine')
    await told()
    FakeEventSource.latest.refuse()
    await told()
    expect(client.status).toBe('idle')
    client.reconnect()
    await told()
    expect(client.status).toBe('connecting')
    FakeEventSource.latest.send('mine', 1)
    await told()
    expect(mine).toEqual([401, 1])
  })

  it('shows nothing of the user after a logout, and starts over', async () => {
    const client = newPage()
    const a = followUser(client, 'a')
    await told()
    FakeEventSource.latest.accept()
    FakeEventSource.latest.send('a', 'of alice', 'a1')
    await told()
    const before = FakeEventSource.latest
    before.send('a', 'of alice, on its way', 'a2')
    client.reset()
    expect(a.at(-1)).toBe('discarded')
    const late = followUser(client, 'a')
    await told()
    before.send('a', 'of alice, late', 'a3')
    await told()
    expect(late.filter((state) => state !== 'discarded')).toEqual([])
    expect(client.status).toBe('connecting')
    expect(FakeEventSource.latest).not.toBe(before)
    expect(FakeEventSource.latest.resumedFrom).toBeNull()
    FakeEventSource.latest.accept()
    FakeEventSource.latest.send('a', 'of nobody')
    await told()
    expect(a.slice(a.indexOf('discarded')).filter((state) => state !== 'discarded')).toEqual(['of nobody'])
  })

  it('reconnects when that was asked for while the reason of an outage was asked for', async () => {
    const client = newPage()
    const mine = followUser(client, 'mine')
    await told()
    for (let renewals = 0; renewals < 5; renewals++) {
      FakeEventSource.latest.accept()
      client.reconnect() // The last of them must wait.
      await told()
    }
    let respond!: (response: Response) => void
    answers.mockImplementationOnce(() => new Promise((resolve) => (respond = resolve)))
    answers.mockResolvedValueOnce(answer({ mine: 1 }))
    FakeEventSource.latest.refuse()
    await told()
    const opened = FakeEventSource.all.length
    client.reconnect()
    await told()
    expect(FakeEventSource.all).toHaveLength(opened)
    respond(answer({}, [{ stream: 'mine', status: 401, title: 'Unauthorized' }])) // as of before the login
    await wait(2_000)
    expect(mine).toEqual([1])
    expect(FakeEventSource.all).toHaveLength(opened + 1)
    expect(streamsNow()).toEqual([['mine']])
  })

  it('does nothing without streams', async () => {
    const client = newPage()
    client.reconnect()
    client.reset()
    await told()
    expect(FakeEventSource.all).toHaveLength(0)
    expect(client.status).toBe('idle')
  })
})

it('a logout in one page is one in all pages that share', async () => {
  const [one, two] = [newClient({ share: 'alice' }), newClient({ share: 'alice' })]
  const here = followUser(one, 'a')
  const there = followUser(two, 'a')
  await wait(1)
  FakeEventSource.latest.accept()
  FakeEventSource.latest.send('a', 1)
  await wait(1)
  one.reset()
  await wait(1)
  expect(there).toEqual([1, 'discarded'])
  FakeEventSource.latest.accept()
  FakeEventSource.latest.send('a', 2)
  await wait(1)
  expect(there).toEqual([1, 'discarded', 2])
  expect(here.at(-1)).toBe(2)
  expect(FakeEventSource.active).toHaveLength(1)
})

it('a page that follows nothing logs out for all pages that share', async () => {
  const [one, two] = [newClient({ share: 'alice' }), newClient({ share: 'alice' })]
  const there = followUser(two, 'a')
  await wait(1)
  FakeEventSource.latest.accept()
  FakeEventSource.latest.send('a', 1)
  await wait(1)
  one.reconnect()
  await wait(1)
  expect(FakeEventSource.all).toHaveLength(2)
  FakeEventSource.latest.accept()
  one.reset()
  await wait(1)
  expect(there).toEqual([1, 'discarded'])
  expect(one.status).toBe('idle')
  expect(locks.held('feedmill-streams page')).toBe(1)
})

it('a page that shares shows nothing of the user after a logout without streams', async () => {
  const client = newClient({ share: 'alice', linger: 0 }) // Its worker still has the stream for a while.
  const leave = client.subscribe('a', { state: () => {} })
  await wait(1)
  FakeEventSource.latest.accept()
  FakeEventSource.latest.send('a', 'of alice')
  await wait(1)
  leave()
  await wait(1)
  expect(client.status).toBe('idle')
  client.reset()
  const late = followUser(client, 'a')
  await wait(1)
  expect(late).toEqual([])
  expect(client.status).toBe('connecting')
  FakeEventSource.latest.accept()
  FakeEventSource.latest.send('a', 'of nobody')
  await wait(1)
  expect(late).toEqual(['of nobody'])
  expect(client.status).toBe('live')
})

describe('by fetch', () => {
  const event = (type: string, data: unknown, id = '') => `event: ${type}\nid: ${id}\ndata: ${JSON.stringify(data)}\n\n`

  /** A stream whose body the test writes. */
  function newStream() {
    let body!: ReadableStreamDefaultController<Uint8Array>
    const stream = new ReadableStream<Uint8Array>({ start: (controller) => void (body = controller) })
    return {
      response: new Response(stream, { headers: { 'Content-Type': 'text/event-stream' } }),
      write: (text: string) => body.enqueue(new TextEncoder().encode(text)),
      end: () => body.close(),
    }
  }

  const tokenOf = ([, init]: Parameters<typeof fetch>) => new Headers(init?.headers).get('Authorization')

  it('a client follows, resumes, and asks for the reason, each with a new token', async () => {
    const [first, second, third] = [newStream(), newStream(), newStream()]
    answers
      .mockResolvedValueOnce(first.response)
      .mockResolvedValueOnce(second.response)
      .mockResolvedValueOnce(new Response(null, { status: 401 }))
      .mockResolvedValueOnce(new Response(null, { status: 401 }))
      .mockResolvedValueOnce(answer({ a: 3 }))
      .mockResolvedValueOnce(third.response)
    let tokens = 0
    const client = newClient({ transport: byFetch(() => Promise.resolve({ headers: { Authorization: String(++tokens) } })) })
    const { told } = follow(client, 'a')
    await settle()
    first.write('retry: 100\n\n' + event('heartbeat', 15_000) + event('a', 1, 'a1'))
    await settle()
    expect(told).toEqual([1])
    expect(client.status).toBe('live')

    first.end() // It reconnects by itself.
    await wait(100)
    expect(new Headers(answers.mock.calls[1]![1]?.headers).get('Last-Event-ID')).toBe('a1')
    second.write(event('a', 2, 'a2'))
    await settle()
    expect(told).toEqual([1, 2])
    expect(client.status).toBe('live')

    second.end() // The token is refused.
    await wait(100)
    expect(told.at(-1)).toMatchObject({ status: 401 })
    await wait(3_000)
    expect(told.at(-1)).toBe(3)
    await wait(3_000)
    third.write(event('a', 4, 'a4'))
    await settle()
    expect(told.at(-1)).toBe(4)
    expect(answers.mock.calls.map(tokenOf)).toEqual(['1', '2', '3', '4', '5', '6'])
    expect(FakeEventSource.all).toHaveLength(0)
  })

  it('the server is unreachable until it is not', async () => {
    answers.mockImplementation(unreachable)
    const client = newClient({ transport: byFetch(() => ({})) })
    const { told } = follow(client, 'a')
    await wait(90_000)
    expect(client.status).toBe('reconnecting')
    const stream = newStream()
    answers.mockImplementation((_, init) =>
      Promise.resolve(new Headers(init?.headers).get('Accept') === 'application/json' ? answer({ a: 1 }) : stream.response))
    await wait(60_000)
    stream.write(event('a', 1, 'a1'))
    await settle()
    expect(told.at(-1)).toBe(1)
    expect(client.status).toBe('live')
  })

  it('cannot be shared, because a worker has no functions of the page', () => {
    const transport = byFetch(() => ({}))
    expect(() => newClient({ transport, share: 'alice' })).toThrow(TypeError)
    expect(() => newClient({ transport, withCredentials: true })).toThrow(TypeError)
    vi.unstubAllGlobals()
  })
})
