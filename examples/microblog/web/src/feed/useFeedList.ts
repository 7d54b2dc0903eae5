import { computed, onScopeDispose, ref, shallowRef, watch } from 'vue'
import { loadFeedList } from '../api/client'
import type { ApiError } from '../api/error'
import type { Feed, FeedList } from '../api/types'
import { feedsStream } from '../stream/names'
import { useStream } from '../stream/useStream'
import { moveOn, noteCounts, startCounting, step } from './activity'
import { feedsBehind, sortFeeds } from './feedList'

/**
 * The list of feeds: its beginning live, and behind it the parts that the user loaded, as they were then. A list that is
 * complete is sorted by number of posts, a longer one by name.
 */
export function useFeedList() {
  const stream = useStream<FeedList>(feedsStream)
  const more = shallowRef<Feed[]>([])
  /** The cursor behind `more`. Undefined until the user loads more feeds. */
  const moreNext = ref<string>()
  const loading = ref(false)
  const loadError = shallowRef<ApiError>()
  const requests = new AbortController()
  onScopeDispose(() => requests.abort())

  const next = computed(() => moreNext.value ?? stream.state.value?.next ?? '')
  const feeds = computed(() => {
    const list = stream.state.value
    if (!list) return []
    return list.next ? [...list.feeds, ...more.value] : sortFeeds(list.feeds)
  })

  watch(
    stream.state,
    (list, before) => {
      if (!list || moreNext.value === undefined) return
      more.value = feedsBehind([...(before?.feeds ?? []), ...more.value], list)
      if (!list.next) moreNext.value = undefined
    },
    { flush: 'sync' },
  )

  startCounting()
  watch(stream.state, (list) => list && noteCounts(list.feeds), { immediate: true, flush: 'sync' })
  const clock = setInterval(moveOn, step)
  onScopeDispose(() => clearInterval(clock))

  async function loadMore() {
    const cursor = next.value
    if (!cursor || loading.value) return
    loading.value = true
    loadError.value = undefined
    moreNext.value = cursor
    try {
      const list = await loadFeedList(cursor, requests.signal)
      const beginning = stream.state.value
      if (beginning?.next) {
        more.value = feedsBehind([...more.value, ...list.feeds], beginning)
        moreNext.value = list.next
      }
    } catch (failure) {
      if (requests.signal.aborted) return
      loadError.value = failure as ApiError
    }
    loading.value = false
  }

  return { ...stream, feeds, next, loading, loadError, loadMore }
}
