// The names of streams in GET /api/streams.

export const feedsStream = 'feeds'

/** The name of a feed is its tag, or allPosts. */
export const feedStream = (name: string) => `feed:${name}`

export const postStream = (id: string) => `post:${id}`
