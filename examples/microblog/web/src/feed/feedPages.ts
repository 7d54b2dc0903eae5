import type { FeedPage, Post } from '../api/types'

/** Returns the newest page followed by the older posts that are not on it. */
export function joinPages(newest: readonly Post[], older: readonly Post[]): Post[] {
  const ids = new Set(newest.map((post) => post.id))
  return [...newest, ...older.filter((post) => !ids.has(post.id))]
}

/**
 * Returns the page with the posts of `shown` wherever they are the same, so that
 * only the cards of other posts are drawn again.
 */
export function reusePosts(page: FeedPage, shown: readonly Post[]): FeedPage {
  const known = new Map(shown.map((post) => [post.id, post]))
  return {
    ...page,
    posts: page.posts.map((post) => {
      const same = known.get(post.id)
      return same?.version === post.version ? same : post
    }),
  }
}

/** Returns the ids of the posts that come before all posts that are shown. */
export function idsAbove(posts: readonly Post[], shown: readonly Post[]): string[] {
  const ids = new Set(shown.map((post) => post.id))
  const first = posts.findIndex((post) => ids.has(post.id))
  return (first < 0 ? posts : posts.slice(0, first)).map((post) => post.id)
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
