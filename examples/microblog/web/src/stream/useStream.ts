import { computed, shallowRef, toValue, watch } from 'vue'
import type { ComputedRef, MaybeRefOrGetter, ShallowRef } from 'vue'
import { ApiError } from '../api/error'
import { useConnection } from './client'
import { latest } from './latest'

export interface Stream<T> {
  /** The last state. It stays while the connection is down or an error is shown. */
  state: Readonly<ShallowRef<T | undefined>>
  /** Why no new state comes, until the next state. */
  error: Readonly<ShallowRef<ApiError | undefined>>
  /** Whether the server refused the stream, for example of a missing post. */
  ended: ComputedRef<boolean>
  /** Why no new state comes although the connection is live and the stream not refused. */
  problem: ComputedRef<ApiError | undefined>
}

/**
 * Follows a stream while the calling scope lives, over the connection of the
 * component. Of states that come faster than a reader sees them, the latest is
 * shown. Another name starts anew. Without a name nothing is followed, and the last
 * state stays.
 */
export function useStream<T>(name: MaybeRefOrGetter<string | undefined>): Stream<T> {
  const { streams, status, noteProblem } = useConnection()
  const state = shallowRef<T>()
  const error = shallowRef<ApiError>()
  const ended = computed(() => error.value?.final ?? false)
  const problem = computed(() => (ended.value || status.value !== 'live' ? undefined : error.value))

  let shown: string | undefined

  watch(
    () => toValue(name),
    (followed, _, onCleanup) => {
      if (followed === undefined) return
      if (followed !== shown) state.value = undefined
      shown = followed
      error.value = undefined
      const states = latest<T>((value) => {
        state.value = value
        error.value = undefined
      })
      const leave = streams.subscribe<T>(followed, {
        state: states.offer,
        problem({ status, title, detail }) {
          states.flush()
          error.value = new ApiError(status, detail || title)
        },
      })
      onCleanup(() => {
        states.stop()
        leave()
      })
    },
    { immediate: true },
  )

  watch(
    problem,
    (reason, _, onCleanup) => {
      if (reason) onCleanup(noteProblem(reason))
    },
    { immediate: true, flush: 'sync' },
  )

  return { state, error, ended, problem }
}
