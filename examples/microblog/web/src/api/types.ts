/** A feed of the feed list: its tag and its number of posts. */
export interface Feed {
  name: string
  posts: number
}

export interface FeedList {
  feeds: Feed[]
}

export interface Post {
  id: string
  title: string
  content: string
  author: string
  tags: string[]
  /** 1 after the creation, one more with every change. It is also the post's ETag. */
  version: number
  created_at: string
  updated_at: string
}

/** One page of a feed, newest post first. */
export interface FeedPage {
  name: string
  /** The number of posts in the whole feed. */
  count: number
  posts: Post[]
  /** The opaque cursor of the next older page. Empty on the last page. */
  next: string
}

/** The parts of a post that a user may change. */
export interface PostDraft {
  title: string
  content: string
}

export interface NewPost extends PostDraft {
  author: string
}

/** RFC 9457 problem details with the refused fields. */
export interface Problem {
  type?: string
  title?: string
  status?: number
  detail?: string
  errors?: { field: string; detail: string }[]
}
