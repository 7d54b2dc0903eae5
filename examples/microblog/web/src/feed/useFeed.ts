import { computed, onScopeDispose, ref, shallowRef, toValue, watch } from 'vue'
import type { MaybeRefOrGetter } from 'vue'
import { loadFeedPage } from '../api/client'
import { ApiError } from '../api/error'
import type { FeedPage, Post } from '../api/types'
import { feedStream } from '../stream/names'
import { useStream } from '../stream/useStream'
import { carryOver, joinPages } from './feedPages'

/** How long older pages may lag behind a change of the feed. */
const refreshDelay = 5_000
/** What a refresh asks for at most, unless the user has loaded more than that. */
const refreshedPages = 20

/**
 * A feed: its newest page live, and below it the older pages the user asked for.
 * The stream speaks for the newest page alone, so the older ones are fetched again
 * a little after the feed changed.
 */
export function useFeed(name: MaybeRefOrGetter<string>) {
  const stream = useStream<FeedPage>(() => feedStream(toValue(name)))
  const older = shallowRef<Post[]>([])
  /** Cursor below `older`; undefined until the user asks for older posts. */
  const olderNext = ref<string>()
  const loading = ref(false)
  const loadError = shallowRef<ApiError>()
  // Ids are never used again, so what was removed here stays hidden even if a
  // state from just before the deletion still comes in.
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
      // It would move the cursor under this request; it comes again afterwards.
      refresh.abort()
      scheduleRefresh(refreshDelay)
    }
    // From here on posts pushed out of the newest page are kept: the page that
    // is on its way continues below the ones shown now.
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
      // What is shown stays; it is only older than it could be.
      if (!asking.signal.aborted) scheduleRefresh(refreshDelay)
      return
    }
    // The newest page may have moved on while the others came.
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
