import { describe, expect, it } from 'vitest'
import { answer, answers, follow, linger, newClient, opened, settle, streamsNow, useFakeServer, wait } from './fixture.js'
import { FakeEventSource } from '../src/testing.js'

useFakeServer()

const minute = 60_000
const focus = () => window.dispatchEvent(new Event('focus'))

/** Has the newest connection serve `a` and refuse `b`. */
function refuseB(status: number): void {
  FakeEventSource.latest.accept()
  FakeEventSource.latest.send('a', 1, 'a1')
  FakeEventSource.latest.sendProblem('b', status, `Problem ${status}`, 'a1')
}

async function refused(status = 401) {
  const client = newClient()
  const a = follow(client, 'a')
  const b = follow(client, 'b')
  await settle()
  refuseB(status)
  return { client, a, b }
}

describe('a refused stream', () => {
  it.each([400, 401, 403, 429])('is asked for again after a %d, ever more slowly', async (status) => {
    const { client, b } = await refused(status)
    const times: number[] = []
    for (let count = 2; count < 10; ) {
      await wait(1_000)
      if (FakeEventSource.all.length < count) continue
      times.push(Date.now())
      count++
      expect(FakeEventSource.latest.resumedFrom).toBe('a1')
      refuseB(status)
    }
    const waits = times.slice(1).map((time, i) => time - times[i]!)
    expect(waits[0]).toBeGreaterThanOrEqual(29_000)
    expect(waits[0]).toBeLessThanOrEqual(61_000)
    expect(waits.at(-1)).toBeGreaterThanOrEqual(99_000)
    expect(waits.at(-1)).toBeLessThanOrEqual(201_000)
    expect(b.told).toEqual([expect.objectContaining({ status })])
    expect(client.status).toBe('live')
  })

  it.each([404, 410, 503])('is not asked for again after a %d, for the server tells when it is there', async (status) => {
    await refused(status)
    await wait(60 * minute)
    focus()
    expect(FakeEventSource.all).toHaveLength(1)
  })

  it('comes at once when the user returns, for example from a login in another tab', async () => {
    const { client, a, b } = await refused()
    const statuses: string[] = []
    client.onStatus((status) => statuses.push(status))
    await wait(5_000)
    focus()
    expect(FakeEventSource.all).toHaveLength(2)
    expect(FakeEventSource.latest.resumedFrom).toBe('a1')
    FakeEventSource.latest.accept()
    FakeEventSource.latest.send('b', 2, 'a1b2')
    expect(a.told).toEqual([1])
    expect(b.told.at(-1)).toBe(2)
    expect(statuses).toEqual([])
    focus()
    await wait(60 * minute)
    expect(FakeEventSource.all).toHaveLength(2)
  })

  it.each([
    ['the network comes', () => window.dispatchEvent(new Event('online'))],
    ['the page becomes visible', () => document.dispatchEvent(new Event('visibilitychange'))],
  ])('comes when %s', async (_, happens) => {
    await refused()
    await wait(5_000)
    happens()
    expect(FakeEventSource.all).toHaveLength(2)
  })

  it('comes when it is subscribed to again', async () => {
    const { client, b } = await refused()
    await wait(5_000)
    b.leave()
    const again = follow(client, 'b')
    expect(FakeEventSource.all).toHaveLength(2)
    FakeEventSource.latest.accept()
    FakeEventSource.latest.send('b', 2, 'a1b2')
    expect(again.told).toEqual([expect.objectContaining({ status: 401 }), 2])
  })

  it('is not asked for more often than the user can look', async () => {
    await refused()
    for (let i = 0; i < 600; i++) {
      focus()
      await wait(100)
    }
    expect(FakeEventSource.all.length).toBeLessThan(10)
  })

  it('that was left is not asked for', async () => {
    const { b } = await refused()
    b.leave()
    await wait(linger)
    expect(streamsNow()).toEqual([['a']])
    const before = FakeEventSource.all.length
    FakeEventSource.latest.accept()
    await wait(60 * minute)
    focus()
    expect(FakeEventSource.all).toHaveLength(before)
  })
})

describe('a page of which all streams are refused', () => {
  const problems = (status: number) => [{ stream: 'a', status, title: `Problem ${status}` }]

  async function alone(status: number, end: () => void = () => FakeEventSource.latest.refuse()) {
    answers.mockImplementation(() => Promise.resolve(answer({}, problems(status))))
    const client = newClient()
    const statuses: string[] = []
    client.onStatus((status) => statuses.push(status))
    const a = follow(client, 'a')
    await settle()
    end()
    await settle()
    return { client, statuses, a }
  }

  it.each([401, 404])('by a %d holds no connection, and asks now and then', async (status) => {
    const { client, statuses, a } = await alone(status)
    expect(a.told).toEqual([expect.objectContaining({ status })])
    await wait(20 * minute)
    expect(statuses).toEqual(['connecting', 'idle'])
    expect(a.told).toHaveLength(1)
    expect(FakeEventSource.all).toHaveLength(1)
    expect(answers.mock.calls.length).toBeGreaterThan(7)
    expect(answers.mock.calls.length).toBeLessThan(16)

    answers.mockImplementation(() => Promise.resolve(answer({ a: 1 })))
    focus()
    await opened(2)
    FakeEventSource.latest.accept()
    expect(a.told.at(-1)).toBe(1)
    expect(client.status).toBe('live')
    expect(statuses).toEqual(['connecting', 'idle', 'connecting', 'live'])
  })

  it('is the same if the server ends the connection', async () => {
    const { statuses } = await alone(401, () => {
      FakeEventSource.latest.accept()
      FakeEventSource.latest.sendProblem('a', 401)
      FakeEventSource.latest.cut()
    })
    expect(FakeEventSource.active).toHaveLength(0)
    expect(statuses).toEqual(['connecting', 'live', 'idle'])
  })

  it('connects at once for another stream', async () => {
    const { client, statuses } = await alone(404)
    await wait(5_000)
    follow(client, 'b')
    await settle()
    expect(streamsNow()).toEqual([['a', 'b']])
    FakeEventSource.latest.accept()
    FakeEventSource.latest.sendProblem('a', 404)
    FakeEventSource.latest.send('b', 1)
    expect(statuses).toEqual(['connecting', 'idle', 'connecting', 'live'])
  })

  it('asks at once when its stream is subscribed to again', async () => {
    const { client } = await alone(401)
    await wait(5_000)
    answers.mockClear()
    follow(client, 'a')
    await wait(1_000)
    expect(answers).toHaveBeenCalledTimes(1)
  })
})
