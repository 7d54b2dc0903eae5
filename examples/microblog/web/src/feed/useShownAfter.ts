import type { FeedPage, Post } from '../api/types'
import { createLatencies } from '../two/latencies'
import { painted } from '../two/painted'

/** Measures how long the feed of a page takes to show a post that its form has sent. */
export function useShownAfter() {
  const { measured, noteSent, notePainted } = createLatencies()
  return {
    /** The milliseconds of each post, by its ID. */
    took: measured,
    sent: (post: Post, at: number) => noteSent(post.id, at),
    async received({ posts }: FeedPage) {
      const at = await painted()
      for (const { id } of posts) notePainted(id, at)
    },
  }
}
