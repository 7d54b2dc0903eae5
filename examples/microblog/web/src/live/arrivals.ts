import { reactive, watch } from 'vue'
import type { FeedPage } from '../api/types'
import { allPosts } from '../feed/names'
import { feedStream } from '../stream/names'
import { useStream } from '../stream/useStream'
import type { Way } from './types'

/** The clocks of the server and of this window are the same. */
const sameClock = ['localhost', '127.0.0.1', '[::1]'].includes(location.hostname)

const maxKnown = 200

/** Milliseconds since 1970 of a time with more than three digits of a second, which Date drops. */
export function preciseTime(at: string): number {
  const [, whole = at, fraction = '', zone = 'Z'] = /^(.*?)(\.\d+)?(Z|[+-]\d\d:\d\d)$/.exec(at) ?? []
  return Date.parse(whole + zone) + Number(`0${fraction || '.0'}`) * 1000
}

/** Measures when posts were painted in this window. It follows all posts, as the timeline does. */
export function useArrivals() {
  const began = performance.timeOrigin + performance.now()
  const painted = reactive(new Map<string, number>())
  const { state } = useStream<FeedPage>(feedStream(allPosts))
  const key = (id: string, version: number) => `${id} ${version}`

  watch(state, (page) => {
    const fresh = page?.posts.filter(({ id, version }) => !painted.has(key(id, version))) ?? []
    if (fresh.length === 0) return
    requestAnimationFrame(() => {
      const now = performance.timeOrigin + performance.now()
      for (const { id, version } of fresh) painted.set(key(id, version), now)
      for (const old of [...painted.keys()].slice(0, Math.max(0, painted.size - maxKnown))) painted.delete(old)
    })
  })

  /** Milliseconds from the request until this window painted the post, if it can know. */
  function paintedAfter(way: Way): number | undefined {
    const at = painted.get(key(way.id, way.version))
    if (!sameClock || at === undefined || way.total === 0) return undefined
    const written = preciseTime(way.at)
    if (written < began) return undefined // it came by the first load
    // A window may paint what it was sent before the server has noted that it sent it.
    return Math.max(at - written, way.total)
  }

  return { state, paintedAfter }
}
