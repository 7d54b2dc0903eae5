import { computed, shallowRef, toValue, watch } from 'vue'
import type { ComputedRef, MaybeRefOrGetter, ShallowRef } from 'vue'
import { ApiError } from '../api/error'
import { streams } from './client'

export interface Stream<T> {
  /** The last state that arrived; it stays while the connection is down, and under an error. */
  state: Readonly<ShallowRef<T | undefined>>
  /** Why nothing comes, until the next state does. */
  error: Readonly<ShallowRef<ApiError | undefined>>
  /** The server refused for good, as it does for a post that is not there. */
  ended: ComputedRef<boolean>
}

/**
 * Follows a stream for as long as the calling scope lives, over the connection
 * that all of the window share. A changed name starts afresh.
 */
export function useStream<T>(name: MaybeRefOrGetter<string>): Stream<T> {
  const state = shallowRef<T>()
  const error = shallowRef<ApiError>()
  const ended = computed(() => error.value?.final ?? false)

  watch(
    () => toValue(name),
    (followed, _, onCleanup) => {
      state.value = undefined
      error.value = undefined
      const leave = streams.subscribe<T>(followed, {
        state(value) {
          state.value = value
          error.value = undefined
        },
        problem({ status, title, detail }) {
          error.value = new ApiError(status, detail || title)
        },
      })
      onCleanup(leave)
    },
    { immediate: true },
  )

  return { state, error, ended }
}
