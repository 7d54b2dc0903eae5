import { shallowRef, toValue, watch } from 'vue'
import type { MaybeRefOrGetter, ShallowRef } from 'vue'
import type { StreamClient } from './client.js'
import type { Problem } from './problem.js'
import { follow, nothing } from './shown.js'
import type { Shown } from './shown.js'

/**
 * Follows a stream while the calling component or scope lives. Another name
 * starts anew, and without a name nothing is followed. Values are not checked
 * against T.
 */
export function useStream<T>(
  streams: StreamClient,
  name: MaybeRefOrGetter<string | undefined>,
): { [Member in keyof Shown<T>]: Readonly<ShallowRef<Shown<T>[Member]>> } {
  const state = shallowRef<T>()
  const problem = shallowRef<Problem>()
  const show = (shown: Shown<T>) => {
    state.value = shown.state
    problem.value = shown.problem
  }
  watch(
    () => toValue(name),
    (followed, _, onCleanup) => {
      show(nothing)
      onCleanup(follow(streams, followed, show))
    },
    { immediate: true, flush: 'sync' },
  )
  return { state, problem }
}
