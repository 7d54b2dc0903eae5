import { FakeEventSource } from '@feedmill/streams/testing'
import { vi } from 'vitest'
import type { EffectScope } from 'vue'
import { streams } from '../stream/client'

/** Gives a test virtual time and a server that is the test. */
export function startStreams(): void {
  vi.useFakeTimers()
  FakeEventSource.reset()
  vi.stubGlobal('EventSource', FakeEventSource)
}

/** Ends what a test followed, so that the window's connection starts afresh in the next. */
export function stopStreams(scope: EffectScope): void {
  scope.stop()
  // Streams that were left linger.
  vi.advanceTimersByTime(60_000)
  if (streams.status !== 'idle') throw new Error(`the connection is ${streams.status}`)
  vi.useRealTimers()
}
