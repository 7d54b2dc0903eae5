import type { FeedPage, Post } from '../api/types'

/** The newest page followed by the older posts that it does not hold. */
export function joinPages(newest: readonly Post[], older: readonly Post[]): Post[] {
  const ids = new Set(newest.map((post) => post.id))
  return [...newest, ...older.filter((post) => !ids.has(post.id))]
}

export interface CarriedOver {
  /** Posts to keep showing below the newest page. */
  older: Post[]
  /** The newest page does not reach down to them: posts between are not known. */
  gap: boolean
}

/**
 * Which of the posts shown so far stay when the stream brings a new newest page.
 * Those below the last post that both know stay. Those above it are what the newest
 * page speaks for: where it lacks one, that post was deleted or left the feed.
 */
export function carryOver(shown: readonly Post[], page: FeedPage): CarriedOver {
  // Without a next page the newest one is the whole feed.
  if (!page.next) return { older: [], gap: false }
  const ids = new Set(page.posts.map((post) => post.id))
  const lastCommon = shown.findLastIndex((post) => ids.has(post.id))
  return {
    older: shown.slice(lastCommon + 1),
    gap: lastCommon < 0 && shown.length > 0,
  }
}
