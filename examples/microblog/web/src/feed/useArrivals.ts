import { onScopeDispose, ref, shallowRef, watch } from 'vue'
import type { Ref } from 'vue'
import type { Post } from '../api/types'
import { idsAbove } from './feedPages'

/** The least time between two announcements, in milliseconds. */
const pause = 5_000

/** Posts that follow others more closely are not animated, in milliseconds. */
const calm = 1_000

/**
 * Says which posts have arrived. `announcement` is for screen readers: arrivals that
 * follow each other closely are announced together. `arrived` are the ids of those
 * that came last, unless the page is under load.
 */
export function useArrivals(newest: Readonly<Ref<readonly Post[] | undefined>>) {
  const announcement = ref('')
  const arrived = shallowRef<ReadonlySet<string>>(new Set())
  let last = Number.NEGATIVE_INFINITY
  let count = 0
  let timer: ReturnType<typeof setTimeout> | undefined
  onScopeDispose(() => clearTimeout(timer))

  watch(
    newest,
    (posts, before) => {
      if (!posts || !before) return
      const ids = idsAbove(posts, before)
      if (ids.length === 0) return
      const now = performance.now()
      arrived.value = new Set(now - last > calm ? ids : [])
      last = now
      count += ids.length
      timer ??= setTimeout(announce)
    },
    { flush: 'sync' },
  )

  function announce() {
    timer = undefined
    announcement.value = count > 0 ? newPosts(count) : ''
    if (count > 0) timer = setTimeout(announce, pause)
    count = 0
  }

  return { announcement, arrived }
}

export function newPosts(count: number): string {
  return count === 1 ? '1 new post' : `${count.toLocaleString('en')} new posts`
}
