import { FakeEventSource } from '@feedmill/streams/testing'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { effectScope, nextTick, ref, watch } from 'vue'
import { connected, startStreams, stopStreams } from '../testing/streams'
import { windowConnection } from './client'
import { useStream } from './useStream'

let scope = effectScope()
const answers = vi.fn<typeof fetch>()

beforeEach(() => {
  startStreams()
  vi.stubGlobal('fetch', answers)
  scope = effectScope()
})

afterEach(() => stopStreams(scope))

function follow(name: Parameters<typeof useStream>[0] = 'a') {
  return scope.run(() => useStream<{ n: number }>(name))!
}

const settle = () => vi.advanceTimersByTimeAsync(0)

describe('a stream', () => {
  it('shows each state', async () => {
    const { state, error } = follow()
    await settle()
    FakeEventSource.latest.send('a', { n: 1 })
    expect(state.value).toEqual({ n: 1 })
    await vi.advanceTimersByTimeAsync(1_000)
    FakeEventSource.latest.send('a', { n: 2 })
    expect(state.value).toEqual({ n: 2 })
    expect(error.value).toBeUndefined()
  })

  it('shows the last of many states, and not all of them', async () => {
    const { state } = follow()
    const shown: unknown[] = []
    scope.run(() => watch(state, (value) => shown.push(value?.n), { flush: 'sync' }))
    await settle()
    for (let n = 1; n <= 100; n++) {
      FakeEventSource.latest.send('a', { n })
      await vi.advanceTimersByTimeAsync(10)
    }
    await vi.advanceTimersByTimeAsync(200)
    expect(shown.at(-1)).toBe(100)
    expect(shown.length).toBeLessThan(12)
  })

  it('shows the last state before a problem', async () => {
    const { state, error } = follow()
    await settle()
    FakeEventSource.latest.send('a', { n: 1 })
    FakeEventSource.latest.send('a', { n: 2 })
    FakeEventSource.latest.sendProblem('a', 404)
    await vi.advanceTimersByTimeAsync(200)
    expect(state.value).toEqual({ n: 2 })
    expect(error.value?.status).toBe(404)
  })

  it('shares one connection with the others of the window', async () => {
    follow('feeds')
    follow('feed:日本')
    follow('feeds')
    await settle()
    expect(FakeEventSource.all.map((source) => source.streams)).toEqual([['feeds', 'feed:日本']])
    expect(FakeEventSource.latest.url).toMatch('/api/streams?stream=feeds&')
  })

  it('starts anew on one connection when its name changes', async () => {
    const name = ref('a')
    const { state, error } = follow(name)
    await settle()
    FakeEventSource.latest.send('a', { n: 1 })
    FakeEventSource.latest.sendProblem('a', 404)
    name.value = 'b'
    await nextTick()
    expect(state.value).toBeUndefined()
    expect(error.value).toBeUndefined()
    await connected()
    expect(FakeEventSource.all).toHaveLength(2)
    FakeEventSource.latest.send('a', { n: 2 })
    FakeEventSource.latest.send('b', { n: 3 })
    expect(state.value).toEqual({ n: 3 })
  })

  it('ends with its scope', async () => {
    follow()
    await settle()
    scope.stop()
    await vi.advanceTimersByTimeAsync(10_000)
    expect(FakeEventSource.active).toHaveLength(0)
  })
})

describe('a problem', () => {
  it('of a refusal ends the stream until a later state', async () => {
    const { state, error, ended } = follow()
    await settle()
    FakeEventSource.latest.send('a', { n: 1 })
    expect(ended.value).toBe(false)
    FakeEventSource.latest.sendProblem('a', 404, 'Not Found')
    expect(ended.value).toBe(true)
    expect(error.value).toMatchObject({ notFound: true, message: 'Not Found' })
    expect(state.value).toEqual({ n: 1 })
    await vi.advanceTimersByTimeAsync(1_000)
    FakeEventSource.latest.send('a', { n: 2 })
    expect(ended.value).toBe(false)
    expect(error.value).toBeUndefined()
  })

  it('that is temporary does not end the stream', async () => {
    answers.mockResolvedValue(new Response(null, { status: 503 }))
    const { error, ended } = follow()
    await settle()
    FakeEventSource.latest.refuse()
    await settle()
    expect(error.value?.status).toBe(503)
    expect(ended.value).toBe(false)
  })
})

it('shows the status of the connection', async () => {
  follow()
  await settle()
  expect(windowConnection.status.value).toBe('connecting')
  FakeEventSource.latest.accept()
  expect(windowConnection.status.value).toBe('live')
  FakeEventSource.latest.cut()
  expect(windowConnection.status.value).toBe('reconnecting')
})
