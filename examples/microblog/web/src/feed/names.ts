/** The name of the feed that every post is in (post.FeedOfAll of the server). No hashtag can have it. */
export const allPosts = '~all'
