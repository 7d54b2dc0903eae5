import { describe, expect, it, vi } from 'vitest'
import { answers, follow, newClient, settle, unreachable, useFakeServer, wait } from './fixture.js'
import { FakeEventSource } from '../src/testing.js'

useFakeServer()

const interval = 15_000

async function live() {
  const client = newClient()
  const statuses: string[] = []
  client.onStatus((status) => statuses.push(status))
  const a = follow(client, 'a')
  await settle()
  FakeEventSource.latest.accept()
  FakeEventSource.latest.heartbeat(interval)
  FakeEventSource.latest.send('a', 1, 'a1')
  return { client, statuses, ...a }
}

describe('a silent connection', () => {
  it('is replaced after three heartbeats, and resumes', async () => {
    const { statuses } = await live()
    await wait(3 * interval - 1)
    expect(FakeEventSource.all).toHaveLength(1)
    await wait(1)
    expect(FakeEventSource.all).toHaveLength(2)
    expect(FakeEventSource.active).toHaveLength(1)
    expect(FakeEventSource.latest.resumedFrom).toBe('a1')
    expect(statuses).toEqual(['connecting', 'live', 'reconnecting'])
    FakeEventSource.latest.accept()
    expect(statuses.at(-1)).toBe('live')
    // The interval is known from the first connection.
    await wait(3 * interval)
    expect(FakeEventSource.all).toHaveLength(3)
  })

  it.each([
    ['heartbeats', () => FakeEventSource.latest.heartbeat()],
    ['states', () => FakeEventSource.latest.send('a', 2)],
    ['problems', () => FakeEventSource.latest.sendProblem('a', 404)],
  ])('is none on which %s come', async (_, send) => {
    const { client } = await live()
    for (let i = 0; i < 20; i++) {
      await wait(2 * interval)
      send()
    }
    expect(FakeEventSource.all).toHaveLength(1)
    expect(client.status).toBe('live')
  })

  it('is fine where the server promises no heartbeats', async () => {
    const client = newClient()
    follow(client, 'a')
    await settle()
    FakeEventSource.latest.accept()
    await wait(600_000)
    expect(FakeEventSource.all).toHaveLength(1)
    expect(client.status).toBe('live')
  })

  it('is noticed within a heartbeat after the computer has slept', async () => {
    await live()
    await wait(1_000)
    vi.setSystemTime(Date.now() + 600_000)
    await wait(interval)
    expect(FakeEventSource.all).toHaveLength(2)
  })

  it('is noticed although the clock is set back', async () => {
    await live()
    vi.setSystemTime(Date.now() - 600_000)
    await wait(3 * interval)
    expect(FakeEventSource.all).toHaveLength(2)
  })
})

describe('a user who returns', () => {
  const returns: [string, () => void][] = [
    ['focus', () => window.dispatchEvent(new Event('focus'))],
    ['pageshow', () => window.dispatchEvent(new Event('pageshow'))],
    ['resume', () => document.dispatchEvent(new Event('resume'))],
    ['visibilitychange', () => document.dispatchEvent(new Event('visibilitychange'))],
  ]

  it.each(returns)('has an overdue connection replaced at once by %s', async (_, dispatch) => {
    const { client } = await live()
    await wait(2 * interval)
    dispatch()
    expect(FakeEventSource.all).toHaveLength(2)
    expect(FakeEventSource.active).toHaveLength(1)
    expect(client.status).toBe('reconnecting')
  })

  it.each(returns)('changes nothing about a good connection by %s', async (_, dispatch) => {
    await live()
    await wait(interval)
    dispatch()
    expect(FakeEventSource.all).toHaveLength(1)
  })

  it('has a server that fails asked soon', async () => {
    answers.mockImplementation(unreachable)
    await live()
    FakeEventSource.latest.refuse()
    await wait(300_000)
    answers.mockClear()
    window.dispatchEvent(new Event('focus'))
    await wait(1_000)
    expect(answers).toHaveBeenCalledTimes(1)
  })
})

describe('a connection that does not open', () => {
  it('is given up, and the reason is asked for', async () => {
    answers.mockImplementation(unreachable)
    const client = newClient()
    const a = follow(client, 'a')
    await settle()
    await wait(59_000)
    expect(answers).not.toHaveBeenCalled()
    await wait(2_000)
    expect(answers).toHaveBeenCalled()
    expect(FakeEventSource.active).toHaveLength(0)
    expect(a.told).toEqual([expect.objectContaining({ status: 0 })])
    expect(client.status).toBe('reconnecting')
  })

  it('after a cut is given up as well', async () => {
    answers.mockImplementation(unreachable)
    await live()
    await wait(30_000)
    FakeEventSource.latest.cut()
    await wait(2 * interval - 1_000)
    expect(answers).not.toHaveBeenCalled()
    await wait(2_000)
    expect(answers).toHaveBeenCalled()
  })
})
