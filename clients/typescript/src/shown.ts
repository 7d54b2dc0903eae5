import type { StreamClient } from './client.js'
import type { Problem } from './problem.js'

/** What a page shows of a stream. */
export interface Shown<T> {
  /** The newest state. It stays while there is a problem, and is undefined until the first one and after a reset. */
  readonly state: T | undefined
  /** Why no newer state comes, until one comes. */
  readonly problem: Problem | undefined
}

/** What is shown of a stream before anything has come, and on a server that renders pages. */
export const nothing: Shown<never> = { state: undefined, problem: undefined }

/** Follows a stream until the returned function is called. On a server that renders pages it does nothing. */
export function follow<T>(streams: StreamClient, name: string | undefined, show: (shown: Shown<T>) => void): () => void {
  if (name === undefined || typeof window === 'undefined') return () => {}
  let last: T | undefined
  return streams.subscribe<T>(name, {
    state: (state) => show({ state: (last = state), problem: undefined }),
    problem: (problem) => show({ state: last, problem }),
    discarded: () => show({ state: (last = undefined), problem: undefined }),
  })
}
