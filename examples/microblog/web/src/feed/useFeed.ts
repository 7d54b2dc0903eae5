import { computed, onScopeDispose, ref, shallowRef, watch } from 'vue'
import type { Ref } from 'vue'
import { loadFeedPage } from '../api/client'
import { ApiError } from '../api/error'
import type { FeedPage, Post } from '../api/types'
import { feedStream } from '../stream/names'
import { useStream } from '../stream/useStream'
import { carryOver, idsAbove, joinPages, reusePosts } from './feedPages'
import { keepSnapshot, placeInHistory, takeSnapshot } from './history'
import type { Place } from './history'

/** The least delay of a refresh of older pages after a change of the feed. */
const refreshDelay = 1_000
/** The maximum of pages in a refresh, unless the user has loaded more. */
const refreshedPages = 20
/** From this number of posts that wait above, a reader who is further down no longer follows. */
export const mostWaiting = 200

/**
 * A feed, or the posts of several tags: the newest page live, and below it the older pages that the user loaded.
 * The stream has only the newest page, so the older ones are fetched again shortly
 * after each change of the feed.
 *
 * While the user reads `below` the top, new posts wait instead of moving what they
 * read. When they go back in the browser's history, the feed is as they left it.
 */
export function useFeed(name: string | readonly string[], below: Readonly<Ref<boolean>> = ref(false)) {
  const stream = useStream<FeedPage>(feedStream(name))
  const historyPlace = placeInHistory(feedStream(name))
  const restored = takeSnapshot(historyPlace)

  const newest = shallowRef<FeedPage | undefined>(restored?.newest)
  const older = shallowRef<Post[]>(restored?.older ?? [])
  /** The cursor below `older`. Undefined while posts that leave the newest page are not kept. */
  const olderNext = ref(restored?.olderNext)
  const loading = ref(false)
  const loadError = shallowRef<ApiError>()
  // A removed post stays hidden even if a state from before the deletion still
  // comes, because ids are not reused.
  const removed = ref(new Set<string>())
  const waiting = ref(new Set<string>())
  /** Whether too many posts wait. What is shown then stays as it is. */
  const stopped = ref(false)

  const requests = new AbortController()
  let refresh: AbortController | undefined
  let timer: ReturnType<typeof setTimeout> | undefined
  let lastRefresh = 0
  let loadedPages = restored?.loadedPages ?? 0

  const all = () => joinPages(newest.value?.posts ?? [], older.value)
  const posts = computed(() => all().filter(({ id }) => !removed.value.has(id) && !waiting.value.has(id)))
  const next = computed(() => olderNext.value ?? newest.value?.next ?? '')

  function forgetOlder() {
    cancelRefresh()
    older.value = []
    olderNext.value = undefined
    loadedPages = 0
    loadError.value = undefined
  }

  watch(stream.state, (page) => page && receive(page), { immediate: true, flush: 'sync' })
  watch(below, (isBelow) => !isBelow && showWaiting(), { flush: 'sync' })

  function receive(received: FeedPage) {
    if (stopped.value) return
    const shown = all()
    const page = reusePosts(received, shown)
    const before = newest.value
    newest.value = page
    if (!before) return
    if (below.value) {
      for (const id of idsAbove(page.posts, shown)) waiting.value.add(id)
      olderNext.value ??= before.next
    }
    if (olderNext.value === undefined) return
    if (!page.next) return forgetOlder()
    const { older: kept, gap } = carryOver(shown, page)
    older.value = kept
    if (waiting.value.size > mostWaiting) {
      stopped.value = true
      cancelRefresh()
      older.value = kept.filter(({ id }) => !waiting.value.has(id))
    } else if (kept.length > 0) scheduleRefresh(gap ? 0 : undefined)
  }

  function showWaiting() {
    if (stopped.value) {
      stopped.value = false
      newest.value = stream.state.value
      forgetOlder()
    } else if (loadedPages === 0 && !loading.value) forgetOlder()
    waiting.value.clear()
  }

  async function loadOlder() {
    const cursor = next.value
    if (!cursor || loading.value) return
    if (refresh) {
      // A refresh would move the cursor under this request. It follows afterwards.
      refresh.abort()
      scheduleRefresh()
    }
    // From now on, posts that are pushed off the newest page are kept: the
    // requested page continues below the posts that are shown now.
    olderNext.value = cursor
    loading.value = true
    loadError.value = undefined
    try {
      const page = await loadFeedPage(name, cursor, requests.signal)
      // Meanwhile the newest page may have become the whole feed.
      if (olderNext.value === cursor) {
        older.value = joinPages(older.value, page.posts)
        olderNext.value = page.next
        loadedPages++
      }
    } catch (failure) {
      if (requests.signal.aborted) return
      loadError.value = failure as ApiError
    }
    loading.value = false
  }

  /** By default later than a change, and later still if the last refresh took long. */
  function scheduleRefresh(delay = Math.max(refreshDelay, 10 * lastRefresh)) {
    if (timer !== undefined && delay > 0) return
    clearTimeout(timer)
    timer = setTimeout(() => void refreshOlder(), delay)
  }

  function cancelRefresh() {
    refresh?.abort()
    refresh = undefined
    clearTimeout(timer)
    timer = undefined
  }

  async function refreshOlder() {
    timer = undefined
    const from = newest.value
    if (!from || loading.value) return scheduleRefresh()
    refresh?.abort()
    const asking = new AbortController()
    refresh = asking
    const started = performance.now()
    const limit = Math.max(refreshedPages, loadedPages)
    const wanted = older.value.length
    const fresh: Post[] = []
    let cursor = from.next
    try {
      for (let pages = 0; cursor && fresh.length < wanted && pages < limit; pages++) {
        const page = reusePosts(await loadFeedPage(name, cursor, asking.signal), older.value)
        fresh.push(...page.posts)
        cursor = page.next
      }
    } catch {
      // The shown posts stay, although they may be outdated.
      if (!asking.signal.aborted) scheduleRefresh()
      return
    }
    lastRefresh = performance.now() - started
    refresh = undefined
    // The newest page may have changed meanwhile.
    const joined = joinPages(from.posts, fresh)
    const current = newest.value ?? from
    if (below.value) for (const id of idsAbove(joined, posts.value)) waiting.value.add(id)
    older.value = carryOver(joined, current).older
    olderNext.value = cursor
  }

  function remove(id: string) {
    removed.value.add(id)
  }

  /** Where the reader is, for when they return. */
  let place: Place | undefined
  const leaveAt = (at: Place | undefined) => (place = at)

  onScopeDispose(() => {
    requests.abort()
    cancelRefresh()
    if (!newest.value) return
    keepSnapshot(historyPlace, { newest: newest.value, older: older.value, olderNext: olderNext.value, loadedPages, place })
  })

  return {
    ...stream,
    newest,
    posts,
    next,
    loading,
    loadError,
    loadOlder,
    remove,
    /** How many posts wait above, at least if there are more than mostWaiting. */
    waiting: computed(() => waiting.value.size),
    leaveAt,
    /** Where the reader was when they left this entry of the browser's history. */
    returnTo: restored?.place,
  }
}
