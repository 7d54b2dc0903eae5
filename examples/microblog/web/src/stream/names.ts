// The names of streams in GET /api/streams.

export const feedsStream = 'feeds'

/** The name of a feed is its tag, or allPosts. Several tags are one stream of the posts with one of them. */
export const feedStream = (name: string | readonly string[]) => (typeof name === 'string' ? `feed:${name}` : `tags:${name.join()}`)

export const postStream = (id: string) => `post:${id}`
