import { describe, expect, it, vi } from 'vitest'
import { answer, answers, follow, linger, longestBackoff, newClient, opened, settle, streamsNow, unreachable, useFakeServer, wait } from './fixture.js'
import type { Problem } from '../src/problem.js'
import { FakeEventSource } from '../src/testing.js'

useFakeServer()

async function connected(name = 'a') {
  const client = newClient()
  const a = follow(client, name)
  await settle()
  return { client, ...a }
}

const statusOf = (told: number | Problem | undefined) => (typeof told === 'object' ? told.status : undefined)

describe('the status', () => {
  it('follows the connection', async () => {
    const client = newClient()
    const statuses: string[] = []
    const stop = client.onStatus((status) => statuses.push(status))
    expect(client.status).toBe('idle')
    const a = follow(client, 'a')
    await settle()
    expect(client.status).toBe('connecting')
    FakeEventSource.latest.accept()
    expect(client.status).toBe('live')
    FakeEventSource.latest.cut()
    FakeEventSource.latest.accept()
    a.leave()
    await wait(linger)
    expect(statuses).toEqual(['connecting', 'live', 'reconnecting', 'live', 'idle'])
    stop()
    follow(client, 'a')
    await settle()
    expect(statuses).toHaveLength(5)
  })

  it('is live when an event comes', async () => {
    const { client } = await connected()
    FakeEventSource.latest.send('a', 1)
    expect(client.status).toBe('live')
  })

  it('is offline when the browser has no network', async () => {
    vi.spyOn(navigator, 'onLine', 'get').mockReturnValue(false)
    const { client } = await connected()
    FakeEventSource.latest.cut()
    expect(client.status).toBe('offline')
  })
})

describe('after a cut', () => {
  it('the browser reconnects', async () => {
    const { client, told } = await connected()
    FakeEventSource.latest.send('a', 1)
    FakeEventSource.latest.cut()
    expect(client.status).toBe('reconnecting')
    await longestBackoff()
    expect(FakeEventSource.all).toHaveLength(1)
    expect(answers).not.toHaveBeenCalled()
    FakeEventSource.latest.accept()
    expect(client.status).toBe('live')
    expect(told).toEqual([1])
  })
})

describe('when the browser gives up', () => {
  it.each([400, 403, 404, 429, 500, 502])('a %d is a problem, and is tried again until it is live', async (code) => {
    answers
      .mockResolvedValueOnce(new Response('<h1>No</h1>', { status: code }))
      .mockResolvedValueOnce(answer({ a: 7 }))
    const { client, told } = await connected()
    FakeEventSource.latest.refuse()
    await settle()
    expect(client.status).toBe('reconnecting')
    expect(told).toEqual([expect.objectContaining({ status: code, title: `The server answered ${code}.` })])
    await longestBackoff()
    expect(told.at(-1)).toBe(7)
    await longestBackoff()
    expect(FakeEventSource.all).toHaveLength(2)
    FakeEventSource.latest.accept()
    expect(client.status).toBe('live')
    expect(answers.mock.calls.map(([url]) => url)).toEqual(['/api/streams?stream=a', '/api/streams?stream=a'])
  })

  // The answer is newer than the id. A server that has the state of the id would send nothing.
  it.each([
    ['a newer state', answer({ a: 2 }), [1, 2]],
    ['a failure', answer({}, [{ stream: 'a', status: 500, title: 'Error' }]), [1, expect.objectContaining({ status: 500 })]],
  ])('starts over after an answer with %s', async (_, found, toldSoFar) => {
    const { client, told } = await connected()
    FakeEventSource.latest.accept()
    FakeEventSource.latest.send('a', 1, 'has-a1')
    answers.mockResolvedValueOnce(found)
    FakeEventSource.latest.refuse()
    await opened(2)
    expect(told).toEqual(toldSoFar)
    expect(FakeEventSource.latest.resumedFrom).toBeNull()
    expect(client.status).toBe('reconnecting')
  })

  it('passes on the problem document of the server', async () => {
    const body = JSON.stringify({ type: 'https://errors.test/x', title: 'Sign in', detail: 'The session is over.' })
    answers.mockResolvedValue(new Response(body, { status: 401 }))
    const { told } = await connected()
    FakeEventSource.latest.refuse()
    await settle()
    expect(told).toEqual([{ type: 'https://errors.test/x', title: 'Sign in', detail: 'The session is over.', status: 401 }])
  })

  it('requests the streams, and gives each its own state or problem', async () => {
    const client = newClient()
    const a = follow(client, 'a')
    const b = follow(client, 'b')
    await settle()
    FakeEventSource.latest.send('a', 1, 'a1')
    answers.mockResolvedValue(answer({ a: 2, z: 9 }, [{ stream: 'b', status: 404, title: 'Not Found' }, null]))
    FakeEventSource.latest.refuse()
    await settle()
    expect(answers).toHaveBeenCalledExactlyOnceWith(
      '/api/streams?stream=a&stream=b',
      expect.objectContaining({ headers: { Accept: 'application/json' }, credentials: 'same-origin' }),
    )
    expect(a.told).toEqual([1, 2])
    expect(b.told.map(statusOf)).toEqual([404])
  })

  it.each([
    ['an answer that is not JSON', () => new Response('<html>'), 'cannot be read'],
    ['an answer that is not of streams', () => Response.json({ name: 'go' }), 'cannot be read'],
    ['a body that breaks off', () => new Response(new ReadableStream({ start: (body) => body.error(new Error('cut')) })), 'cannot be reached'],
  ])('%s is tried again', async (_, make, title) => {
    answers.mockImplementation(() => Promise.resolve(make()))
    const { told } = await connected()
    FakeEventSource.latest.refuse()
    await longestBackoff()
    expect(told).toEqual([expect.objectContaining({ status: 0, title: expect.stringContaining(title) })])
    expect(answers.mock.calls.length).toBeGreaterThan(2)
    expect(FakeEventSource.active).toHaveLength(0)
  })

  it('the last states and problems return after an outage', async () => {
    const client = newClient()
    const a = follow(client, 'a')
    const b = follow(client, 'b')
    const c = follow(client, 'c')
    await settle()
    FakeEventSource.latest.send('a', 1, 'a1')
    FakeEventSource.latest.sendProblem('b', 404)
    answers.mockImplementation(unreachable)
    FakeEventSource.latest.refuse()
    await settle()
    expect([a, b, c].map(({ told }) => statusOf(told.at(-1)))).toEqual([0, 0, 0])
    expect(follow(client, 'a').told.map((told) => statusOf(told) ?? told)).toEqual([1, 0])
    expect(follow(client, 'b').told.map(statusOf)).toEqual([0])
    window.dispatchEvent(new Event('online'))
    // The server resumes and does not send the states again.
    FakeEventSource.latest.accept()
    expect(a.told.at(-1)).toBe(1)
    expect(statusOf(b.told.at(-1))).toBe(404)
    expect(statusOf(c.told.at(-1))).toBe(0)
    expect(follow(client, 'c').told).toEqual([])
  })

  it('ignores an answer that comes after a new connection', async () => {
    let arrive: (response: Response) => void = () => undefined
    answers.mockReturnValue(new Promise((resolve) => (arrive = resolve)))
    const { client, told } = await connected()
    FakeEventSource.latest.refuse()
    window.dispatchEvent(new Event('online'))
    FakeEventSource.latest.accept()
    arrive(new Response(null, { status: 404 }))
    await longestBackoff()
    expect(client.status).toBe('live')
    expect(told).toEqual([])
    expect(FakeEventSource.all).toHaveLength(2)
  })

  it('limits the wait for an answer', async () => {
    answers.mockImplementation((_, init) => new Promise((_, reject) => init?.signal?.addEventListener('abort', reject)))
    const { told } = await connected()
    FakeEventSource.latest.refuse()
    await wait(35_000)
    expect(answers.mock.calls.length).toBe(2)
    expect(told.map(statusOf)).toEqual([0])
  })
})

describe('a server that fails', () => {
  it('is asked with backoff, and the problem is reported once', async () => {
    answers.mockImplementation(unreachable)
    const { client, told } = await connected()
    FakeEventSource.latest.refuse()
    await wait(60_000)
    const inTheFirstMinute = answers.mock.calls.length
    await wait(60_000)
    const inTheSecond = answers.mock.calls.length - inTheFirstMinute
    expect(client.status).toBe('reconnecting')
    expect(inTheFirstMinute).toBeGreaterThan(4)
    expect(inTheSecond).toBeGreaterThan(0)
    expect(inTheSecond).toBeLessThan(inTheFirstMinute)
    expect(FakeEventSource.active).toHaveLength(0)
    expect(told).toHaveLength(1)
  })

  it('is noticed soon after a long outage', async () => {
    answers.mockImplementation(unreachable)
    await connected()
    FakeEventSource.latest.refuse()
    await wait(300_000)
    let answered = 0
    answers.mockImplementation(() => {
      answered = Date.now()
      return Promise.resolve(answer({ a: 1 }))
    })
    await opened(2)
    expect(Date.now() - answered).toBeLessThan(1_100)
  })

  it('a second time is asked as after a first outage', async () => {
    answers.mockImplementation(unreachable)
    await connected()
    FakeEventSource.latest.refuse()
    await wait(300_000)
    answers.mockImplementation(() => Promise.resolve(answer({ a: 1 })))
    await opened(2)
    answers.mockImplementation(unreachable)
    FakeEventSource.latest.refuse()
    await settle()
    answers.mockClear()
    await wait(1_100)
    expect(answers).toHaveBeenCalledTimes(1)
  })

  async function refuseSevenTimes() {
    answers.mockImplementation(() => Promise.resolve(answer({ a: 1 })))
    for (let count = 2; count <= 8; count++) {
      FakeEventSource.latest.refuse()
      await opened(count)
    }
  }

  it('that refuses streams again and again is asked with backoff', async () => {
    await connected()
    await refuseSevenTimes()
    const before = Date.now()
    FakeEventSource.latest.accept()
    FakeEventSource.latest.refuse()
    await opened(9)
    expect(Date.now() - before).toBeGreaterThan(14_000)
  })

  it.each([
    ['an event came', () => FakeEventSource.latest.send('a', 1)],
    ['the stream was open for long', () => longestBackoff()],
  ])('is asked without backoff once %s', async (_, happens) => {
    await connected()
    await refuseSevenTimes()
    FakeEventSource.latest.accept()
    await happens()
    const before = Date.now()
    FakeEventSource.latest.refuse()
    await opened(9)
    expect(Date.now() - before).toBeLessThan(1_100)
  })

  it('is not asked more often because the streams change, but soon for new ones', async () => {
    answers.mockImplementation(unreachable)
    const { client } = await connected()
    FakeEventSource.latest.refuse()
    await wait(300_000)
    answers.mockClear()
    for (let i = 0; i < 100; i++) {
      follow(client, `s${i}`).leave()
      await wait(100)
    }
    expect(answers.mock.calls.length).toBeGreaterThan(5)
    expect(answers.mock.calls.length).toBeLessThanOrEqual(20)
    expect(FakeEventSource.all).toHaveLength(1)
    const b = follow(client, 'b')
    await wait(1_100)
    expect(answers.mock.calls.at(-1)?.[0]).toContain('stream=b')
    expect(statusOf(b.told[0])).toBe(0)
  })

  it('that answers slowly is not asked again because the streams change', async () => {
    let arrive: (response: Response) => void = () => undefined
    answers.mockReturnValue(new Promise((resolve) => (arrive = resolve)))
    const { client } = await connected()
    FakeEventSource.latest.refuse()
    follow(client, 'b')
    await wait(5_000)
    expect(answers).toHaveBeenCalledTimes(1)
    expect(FakeEventSource.all).toHaveLength(1)
    arrive(answer({ a: 1 }))
    await opened(2)
    expect(streamsNow()).toEqual([['a', 'b']])
  })

  it('is not asked when no stream is followed', async () => {
    answers.mockImplementation(unreachable)
    const client = newClient({ linger: 0 })
    const { leave } = follow(client, 'a')
    await settle()
    FakeEventSource.latest.refuse()
    await settle()
    leave()
    await settle()
    expect(vi.getTimerCount()).toBe(0)
    await longestBackoff()
    expect(answers).toHaveBeenCalledTimes(1)
    expect(client.status).toBe('idle')
    expect(streamsNow()).toEqual([])
  })
})
