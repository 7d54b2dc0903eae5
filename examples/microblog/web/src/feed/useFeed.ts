import { computed, onScopeDispose, ref, shallowRef, toValue, watch } from 'vue'
import type { MaybeRefOrGetter } from 'vue'
import { loadFeedPage } from '../api/client'
import { ApiError } from '../api/error'
import type { FeedPage, Post } from '../api/types'
import { feedStream } from '../stream/names'
import { useStream } from '../stream/useStream'
import { carryOver, joinPages } from './feedPages'

/** The delay of a refresh of older pages after a change of the feed. */
const refreshDelay = 5_000
/** The maximum of posts in a refresh, unless the user has loaded more. */
const refreshedPages = 20

/**
 * A feed: its newest page live, and below it the older pages that the user loaded.
 * The stream has only the newest page, so the older ones are fetched again shortly
 * after a change of the feed.
 */
export function useFeed(name: MaybeRefOrGetter<string>) {
  const stream = useStream<FeedPage>(() => feedStream(toValue(name)))
  const older = shallowRef<Post[]>([])
  /** The cursor below `older`. Undefined until the user loads older posts. */
  const olderNext = ref<string>()
  const loading = ref(false)
  const loadError = shallowRef<ApiError>()
  // A removed post stays hidden even if a state from before the deletion still
  // comes, because ids are not reused.
  const removed = ref(new Set<string>())

  let requests = new AbortController()
  let refresh: AbortController | undefined
  let timer: ReturnType<typeof setTimeout> | undefined
  let loadedPages = 0

  const posts = computed(() =>
    joinPages(stream.state.value?.posts ?? [], older.value).filter((post) => !removed.value.has(post.id)),
  )
  const next = computed(() => olderNext.value ?? stream.state.value?.next ?? '')

  function forgetOlder() {
    requests.abort()
    requests = new AbortController()
    refresh?.abort()
    clearTimeout(timer)
    timer = undefined
    older.value = []
    olderNext.value = undefined
    loadedPages = 0
    loading.value = false
    loadError.value = undefined
  }

  watch(
    () => toValue(name),
    () => {
      forgetOlder()
      removed.value = new Set()
    },
    { flush: 'sync' },
  )
  onScopeDispose(forgetOlder)

  watch(
    stream.state,
    (page, before) => {
      if (!page || olderNext.value === undefined) return
      if (!page.next) {
        forgetOlder()
        return
      }
      const carried = carryOver(joinPages(before?.posts ?? [], older.value), page)
      older.value = carried.older
      scheduleRefresh(carried.gap ? 0 : refreshDelay)
    },
    { flush: 'sync' },
  )

  async function loadOlder() {
    const cursor = next.value
    if (!cursor || loading.value) return
    if (refresh) {
      // A refresh would move the cursor under this request. It follows afterwards.
      refresh.abort()
      scheduleRefresh(refreshDelay)
    }
    // From now on, posts that are pushed off the newest page are kept: the
    // requested page continues below the posts that are shown now.
    olderNext.value = cursor
    loading.value = true
    loadError.value = undefined
    const { signal } = requests
    try {
      const page = await loadFeedPage(toValue(name), cursor, signal)
      older.value = joinPages(older.value, page.posts)
      olderNext.value = page.next
      loadedPages++
    } catch (failure) {
      if (signal.aborted) return
      loadError.value = failure as ApiError
    }
    loading.value = false
  }

  function scheduleRefresh(delay: number) {
    if (timer !== undefined && delay > 0) return
    clearTimeout(timer)
    timer = setTimeout(() => void refreshOlder(), delay)
  }

  async function refreshOlder() {
    timer = undefined
    const newest = stream.state.value
    if (!newest || loading.value) return scheduleRefresh(refreshDelay)
    refresh?.abort()
    const asking = new AbortController()
    refresh = asking
    const limit = Math.max(refreshedPages, loadedPages)
    const wanted = older.value.length
    const fresh: Post[] = []
    let cursor = newest.next
    try {
      for (let pages = 0; cursor && fresh.length < wanted && pages < limit; pages++) {
        const page = await loadFeedPage(toValue(name), cursor, asking.signal)
        fresh.push(...page.posts)
        cursor = page.next
      }
    } catch {
      // The shown posts stay, although they may be outdated.
      if (!asking.signal.aborted) scheduleRefresh(refreshDelay)
      return
    }
    // The newest page may have changed meanwhile.
    const current = stream.state.value ?? newest
    older.value = carryOver(joinPages(newest.posts, fresh), current).older
    olderNext.value = cursor
    refresh = undefined
  }

  function remove(id: string) {
    removed.value.add(id)
  }

  return { ...stream, posts, next, loading, loadError, loadOlder, remove }
}
