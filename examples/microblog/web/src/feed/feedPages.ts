import type { FeedPage, Post } from '../api/types'

/** Returns the newest page followed by the older posts that are not on it. */
export function joinPages(newest: readonly Post[], older: readonly Post[]): Post[] {
  const ids = new Set(newest.map((post) => post.id))
  return [...newest, ...older.filter((post) => !ids.has(post.id))]
}

export interface CarriedOver {
  /** Posts to show below the newest page. */
  older: Post[]
  /** Whether there may be unknown posts between the newest page and these. */
  gap: boolean
}

/**
 * Selects the shown posts that stay when the stream sends a new newest page. Posts
 * below the last common post stay. A post above it that the newest page lacks was
 * deleted or has left the feed.
 */
export function carryOver(shown: readonly Post[], page: FeedPage): CarriedOver {
  // Without a next page the newest page is the whole feed.
  if (!page.next) return { older: [], gap: false }
  const ids = new Set(page.posts.map((post) => post.id))
  const lastCommon = shown.findLastIndex((post) => ids.has(post.id))
  return {
    older: shown.slice(lastCommon + 1),
    gap: lastCommon < 0 && shown.length > 0,
  }
}
