/** A feed as the feed list has it: its tag and how many posts carry it. */
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
  /** 1 when created, one more with every change; also the post's ETag. */
  version: number
  created_at: string
  updated_at: string
}

/** One page of a feed, newest post first. */
export interface FeedPage {
  name: string
  /** Posts in the whole feed, not in this page. */
  count: number
  posts: Post[]
  /** Opaque cursor of the next older page; empty when this is the last one. */
  next: string
}

/** What a user may change of a post. */
export interface PostDraft {
  title: string
  content: string
}

export interface NewPost extends PostDraft {
  author: string
}

/** RFC 9457 problem details, with the fields that were refused. */
export interface Problem {
  type?: string
  title?: string
  status?: number
  detail?: string
  errors?: { field: string; detail: string }[]
}
