import { FakeEventSource } from '@feedmill/streams/testing'
import { vi } from 'vitest'
import type { EffectScope } from 'vue'
import { windowConnection } from '../stream/client'

/** Gives a test virtual time and a fake server. */
export function startStreams(): void {
  vi.useFakeTimers()
  FakeEventSource.reset()
  vi.stubGlobal('EventSource', FakeEventSource)
}

/** Lets changed streams reach the server. Changes that follow each other closely are spaced out. */
export const connected = () => vi.advanceTimersByTimeAsync(2_000)

/** Leaves the streams of a test, so that the next one starts with a new connection. */
export function stopStreams(scope: EffectScope): void {
  scope.stop()
  // Streams linger after they were left.
  vi.advanceTimersByTime(60_000)
  const { status } = windowConnection.streams
  if (status !== 'idle') throw new Error(`leave the streams of a test: the connection is ${status}, not idle`)
  vi.useRealTimers()
}
