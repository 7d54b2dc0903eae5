import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { effectScope, nextTick, ref } from 'vue'
import type { EffectScope } from 'vue'
import { FakeEventSource } from '../testing/fakeEventSource'
import { useStream } from './useStream'

const answers = vi.fn<typeof fetch>()
let scope: EffectScope

beforeEach(() => {
  vi.useFakeTimers()
  FakeEventSource.install()
  answers.mockReset()
  vi.stubGlobal('fetch', answers)
  scope = effectScope()
})

afterEach(() => {
  scope.stop()
  vi.useRealTimers()
})

function follow(url: Parameters<typeof useStream>[0] = '/x') {
  return scope.run(() => useStream<{ n: number }>(url))!
}

/** Lets answered requests be read, without letting a backoff pass. */
const settle = () => vi.advanceTimersByTimeAsync(0)
const longestBackoff = () => vi.advanceTimersByTimeAsync(30_000)

/** Lets time pass until that many connections have been opened in all. */
async function opened(count: number): Promise<void> {
  for (let waited = 0; FakeEventSource.all.length < count; waited += 10) {
    if (waited > 60_000) throw new Error(`only ${FakeEventSource.all.length} connections were opened`)
    await vi.advanceTimersByTimeAsync(10)
  }
}

describe('a stream', () => {
  it('goes live and shows each state', () => {
    const { state, status } = follow()
    expect(status.value).toBe('connecting')
    FakeEventSource.latest.accept()
    expect(status.value).toBe('live')
    FakeEventSource.latest.send({ n: 1 })
    FakeEventSource.latest.send({ n: 2 })
    expect(state.value).toEqual({ n: 2 })
  })

  it('keeps its state and leaves it to the browser after a cut', async () => {
    const { state, status } = follow()
    FakeEventSource.latest.send({ n: 1 })
    FakeEventSource.latest.cut()
    expect(status.value).toBe('reconnecting')
    expect(state.value).toEqual({ n: 1 })
    await longestBackoff()
    expect(FakeEventSource.all).toHaveLength(1)
    expect(answers).not.toHaveBeenCalled()
    FakeEventSource.latest.accept()
    expect(status.value).toBe('live')
  })

  it('is offline when the browser has no network', () => {
    vi.spyOn(navigator, 'onLine', 'get').mockReturnValue(false)
    const { status } = follow()
    FakeEventSource.latest.cut()
    expect(status.value).toBe('offline')
  })

  it('closes with its scope', () => {
    follow()
    scope.stop()
    expect(FakeEventSource.active).toHaveLength(0)
    window.dispatchEvent(new Event('online'))
    expect(FakeEventSource.active).toHaveLength(0)
  })

  it('starts afresh with one connection when its address changes', async () => {
    const url = ref('/a')
    const { state, status } = follow(url)
    FakeEventSource.latest.accept()
    FakeEventSource.latest.send({ n: 1 })
    url.value = '/b'
    await nextTick()
    expect(FakeEventSource.active.map((source) => source.url)).toEqual(['/b'])
    expect(state.value).toBeUndefined()
    expect(status.value).toBe('connecting')
  })

  it('keeps the last state when something comes that is not JSON', () => {
    const { state, error } = follow()
    FakeEventSource.latest.send({ n: 1 })
    FakeEventSource.latest.sendRaw('<html>')
    expect(state.value).toEqual({ n: 1 })
    expect(error.value?.message).toContain('not JSON')
  })
})

describe('when the browser gives up', () => {
  it.each([404, 410, 400, 403])('a %d ends the stream', async (code) => {
    answers.mockResolvedValue(new Response(null, { status: code }))
    const { status, error } = follow()
    FakeEventSource.latest.refuse()
    await settle()
    expect(status.value).toBe('ended')
    expect(error.value?.status).toBe(code)
    await longestBackoff()
    window.dispatchEvent(new Event('online'))
    expect(FakeEventSource.all).toHaveLength(1)
  })

  it.each([500, 503, 429, 408])('a %d is tried again until it is live', async (code) => {
    answers.mockResolvedValueOnce(new Response(null, { status: code })).mockResolvedValueOnce(Response.json({ n: 7 }))
    const { state, status } = follow()
    FakeEventSource.latest.refuse()
    await settle()
    expect(status.value).toBe('reconnecting')
    await longestBackoff()
    expect(state.value).toEqual({ n: 7 })
    await longestBackoff()
    expect(FakeEventSource.all).toHaveLength(2)
    FakeEventSource.latest.accept()
    expect(status.value).toBe('live')
  })

  it('an unreachable server is asked ever less often', async () => {
    answers.mockRejectedValue(new TypeError('failed to fetch'))
    const { status } = follow()
    FakeEventSource.latest.refuse()
    await vi.advanceTimersByTimeAsync(60_000)
    const inTheFirstMinute = answers.mock.calls.length
    await vi.advanceTimersByTimeAsync(60_000)
    const inTheSecond = answers.mock.calls.length - inTheFirstMinute
    expect(status.value).toBe('reconnecting')
    expect(inTheFirstMinute).toBeGreaterThan(4)
    expect(inTheSecond).toBeGreaterThan(0)
    expect(inTheSecond).toBeLessThan(inTheFirstMinute)
    expect(FakeEventSource.active).toHaveLength(0)
  })

  it('is back soon after a long outage', async () => {
    answers.mockRejectedValue(new TypeError('failed to fetch'))
    follow()
    FakeEventSource.latest.refuse()
    await vi.advanceTimersByTimeAsync(300_000)
    let answered = 0
    answers.mockImplementation(() => {
      answered = Date.now()
      return Promise.resolve(Response.json({ n: 1 }))
    })
    await opened(2)
    expect(Date.now() - answered).toBeLessThan(1_100)
  })

  it('a stream that is refused again and again is opened ever less often', async () => {
    answers.mockImplementation(() => Promise.resolve(Response.json({ n: 1 })))
    follow()
    for (let count = 2; count <= 8; count++) {
      FakeEventSource.latest.refuse()
      await opened(count)
    }
    const before = Date.now()
    FakeEventSource.latest.refuse()
    await opened(9)
    expect(Date.now() - before).toBeGreaterThan(14_000)
  })

  it('asks no more once its scope has ended', async () => {
    answers.mockRejectedValue(new TypeError('failed to fetch'))
    follow()
    FakeEventSource.latest.refuse()
    await settle()
    scope.stop()
    await longestBackoff()
    expect(answers).toHaveBeenCalledTimes(1)
  })

  it('ignores an answer that comes after a new connection', async () => {
    let answer: (response: Response) => void = () => undefined
    answers.mockReturnValue(new Promise((resolve) => (answer = resolve)))
    const { status } = follow()
    FakeEventSource.latest.refuse()
    window.dispatchEvent(new Event('online'))
    FakeEventSource.latest.accept()
    answer(new Response(null, { status: 404 }))
    await settle()
    expect(status.value).toBe('live')
  })
})

describe('the page', () => {
  it('reopens when the network comes or goes', () => {
    follow()
    window.dispatchEvent(new Event('offline'))
    window.dispatchEvent(new Event('online'))
    expect(FakeEventSource.all).toHaveLength(3)
    expect(FakeEventSource.active).toHaveLength(1)
  })

  it('lets go when it is hidden away, and reopens when it is restored', () => {
    follow()
    window.dispatchEvent(new Event('pagehide'))
    expect(FakeEventSource.active).toHaveLength(0)
    window.dispatchEvent(pageShow(false))
    expect(FakeEventSource.active).toHaveLength(0)
    window.dispatchEvent(pageShow(true))
    expect(FakeEventSource.active).toHaveLength(1)
  })
})

function pageShow(persisted: boolean): Event {
  return Object.assign(new Event('pageshow'), { persisted })
}
