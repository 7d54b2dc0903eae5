import { afterEach, beforeEach, vi } from 'vitest'
import { StreamClient } from '../src/client.js'
import type { StreamClientOptions } from '../src/client.js'
import type { Problem } from '../src/problem.js'
import { FakeEventSource } from '../src/testing.js'

export const linger = 10_000

/** Answers plain GETs. */
export const answers = vi.fn<typeof fetch>()

const open: StreamClient[] = []

/** Gives every test of the calling file virtual time and a fake server. */
export function useFakeServer(): void {
  beforeEach(() => {
    vi.useFakeTimers()
    FakeEventSource.reset()
    answers.mockReset()
    vi.stubGlobal('EventSource', FakeEventSource)
    vi.stubGlobal('fetch', answers)
  })
  afterEach(async () => {
    for (const client of open.splice(0)) client.close()
    await wait(linger) // A shared worker keeps streams for as long.
    vi.useRealTimers()
  })
}

export function newClient(options: StreamClientOptions = {}): StreamClient {
  const client = new StreamClient('/api/streams', { linger, ...options })
  open.push(client)
  return client
}

/** Subscribes and records what the listener receives. */
export function follow(client: StreamClient, name: string) {
  const told: (number | Problem)[] = []
  const leave = client.subscribe<number>(name, {
    state: (value) => told.push(value),
    problem: (problem) => told.push(problem),
  })
  return { told, leave }
}

/** Runs timers that are due now, and reads answers, without a backoff. */
export const settle = () => vi.advanceTimersByTimeAsync(0)
export const wait = (milliseconds: number) => vi.advanceTimersByTimeAsync(milliseconds)
/** Lets changes of the streams happen, which follow each other at some distance. */
export const changes = () => wait(2_000)
export const longestBackoff = () => wait(30_000)

/** Advances time until that many connections have been opened in total. */
export async function opened(count: number): Promise<void> {
  for (let waited = 0; FakeEventSource.all.length < count; waited += 10) {
    if (waited > 60_000) throw new Error(`only ${FakeEventSource.all.length} connections were opened`)
    await wait(10)
  }
}

export const streamsNow = () => FakeEventSource.active.map((source) => source.streams)

export function answer(streams: Record<string, unknown>, problems: unknown[] = []): Response {
  return Response.json({ streams, problems })
}

export const unreachable = () => Promise.reject(new TypeError('failed to fetch'))
