// Package cqrsfeed is the half of a live application before the browser: a write model whose changes publish events,
// and projections that keep read models from these events.
//
// A [Repository] stores an [Item] and its event in one transaction. The event waits in an outbox until a relay has
// published it (package outbox). A projector takes events in batches, applies them by a projection and publishes
// what changed (package projector). [TagFeeds] is the projection of this package: it keeps every item in the feeds that
// the application names for it, in a [FeedStore], and publishes [FeedUpdated] for each feed that changed. The type App
// of package feedmill runs all of these together.
//
// # Promises
//
// No accepted write is lost: an item and its event commit together, and an event leaves the outbox only when it is
// published. Events are delivered at least once and in no promised order. Apply is idempotent and independent of
// order, so feeds converge to the write model under duplicates, reordering, concurrent workers and crashes: no item
// is missing, in a feed twice, or in a feed that it left, and counts are exact.
//
// # Read your writes
//
// A read model lags behind the write model. The response to a command carries a [Token]; a read that sends it back waits
// until the write is in the read model. See [NewReadYourWrites] and, without HTTP, [Await].
//
// # Other packages
//
// Package readmodel rebuilds and audits read models. Package operate has the commands of an operator. Package limits has the
// sizes of items, feeds, pages and events. Package driver is for authors of stores, and the packages of cqrsfeedtest are the
// conformance suites that a store must pass. Stores are in the adapters directory of the module. cqrsfeed itself imports
// Watermill and no driver.
package cqrsfeed
