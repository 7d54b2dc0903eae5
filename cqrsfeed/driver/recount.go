package driver

// RecountCalls is how many successive calls of FeedStore.Recount must return no feed for all counts to be exact.
const RecountCalls = 4
