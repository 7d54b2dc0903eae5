import type { FeedPage, Post } from '../api/types'

/** Returns a post for tests with the given changes. */
export function makePost(id: string, change: Partial<Post> = {}): Post {
  return {
    id,
    title: `Title ${id}`,
    content: `Content ${id}`,
    author: 'Ann',
    tags: ['go'],
    hashtags: [],
    version: 1,
    created_at: '2024-05-01T10:00:00Z',
    updated_at: '2024-05-01T10:00:00Z',
    ...change,
  }
}

export function makePage(ids: string[], next = '', count = ids.length): FeedPage {
  return { name: 'go', count, revision: 1, posts: ids.map((id) => makePost(id)), next }
}

export const idsOf = (posts: readonly Post[]) => posts.map((post) => post.id)
