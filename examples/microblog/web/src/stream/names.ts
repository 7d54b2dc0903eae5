// What GET /api/streams calls its streams.

export const feedsStream = 'feeds'

/** A feed's name is its tag, verbatim. */
export const feedStream = (name: string) => `feed:${name}`

export const postStream = (id: string) => `post:${id}`
