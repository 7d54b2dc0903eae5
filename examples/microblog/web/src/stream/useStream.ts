import { computed, shallowRef, toValue, watch } from 'vue'
import type { ComputedRef, MaybeRefOrGetter, ShallowRef } from 'vue'
import { ApiError } from '../api/error'
import { streams } from './client'

export interface Stream<T> {
  /** The last state. It stays while the connection is down or an error is shown. */
  state: Readonly<ShallowRef<T | undefined>>
  /** Why no new state comes, until the next state. */
  error: Readonly<ShallowRef<ApiError | undefined>>
  /** Whether the server refused the stream, for example of a missing post. */
  ended: ComputedRef<boolean>
}

/**
 * Follows a stream while the calling scope lives, over the window's shared
 * connection. A changed name starts anew.
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
