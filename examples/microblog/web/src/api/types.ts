/** A feed of the feed list: its tag and its number of posts. */
export interface Feed {
  name: string
  posts: number
}

/** A part of the list of all feeds, by name. */
export interface FeedList {
  feeds: Feed[]
  /** The cursor of the part that follows. Empty at the end. */
  next: string
}

export interface Post {
  id: string
  title: string
  content: string
  author: string
  tags: string[]
  /** Where the content names tags. */
  hashtags: Hashtag[]
  /** 1 after the creation, one more with every change. The post's ETag begins with it. */
  version: number
  created_at: string
  updated_at: string
}

/** A place in a content, in UTF-16 code units. */
export interface Hashtag {
  tag: string
  start: number
  end: number
}

/** One page of a feed, newest post first. That of several tags has no name and no count. */
export interface FeedPage {
  name: string
  /** The number of posts in the whole feed. */
  count: number
  /** Grows with every change of the feed, also of a post that is not on this page. */
  revision: number
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
