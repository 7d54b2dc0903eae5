// Package cqrsfeed is the half of a live application that happens before the browser: a write model whose
// changes publish events without losing any, and projections that keep read models from those events.
//
// # The way of a change
//
// A [Repository] stores an [Item] and its event in one transaction; the event waits in the [Outbox]. A
// [Relay] publishes the outbox to any Watermill publisher and deletes only what the broker acknowledged. A
// [Projector] reads the events from any Watermill subscriber in batches, hands them to a [Projection],
// publishes what the projection announces, and acknowledges only then.
//
// [TagFeeds] is the projection that comes with the package: it keeps every item in the feeds that the
// application names for it (by hashtag, by author, all of them), in a [FeedStore], and announces each
// changed feed with [FeedUpdated].
//
// # What holds
//
// No accepted write is lost: a row and its event commit together, and an event leaves the outbox only
// after the broker has it. Delivery is at least once and in no promised order, so projections are
// idempotent and order-free; feeds then converge to the write model under duplicates, reordering,
// concurrent workers and crashes at any step: no item missing, none twice, none in a feed it left, and the
// counts exact.
//
// For that the broker has to keep what it acknowledged: one that only holds messages in memory, such as a Go
// channel, must not return from Publish before they are applied.
//
// A read model can be made anew at any time, before or while events flow: [Rebuild] applies all that the
// write model has, and Apply cares for neither order nor repetition. [Audit] compares the two and heals what
// differs, and a [Tee] keeps the next version of a read model beside the one that is read.
//
// # Reading what one wrote
//
// A read model is a moment behind. Who has just written has the [Token] of the item, and waits for it by [Await], or
// sends it with a read to a handler behind [NewReadYourWrites], which goes around plain handlers and those of a
// stream router alike.
//
// # Metrics and traces
//
// Relays and projectors measure by OpenTelemetry, see [Relay] and [Projector]. The trace of a change goes along in the
// metadata of its event, and of what projections publish because of it.
//
// The package imports Watermill, the API of OpenTelemetry, and no driver. The stores are in the adapters folder of this module; the
// package cqrsfeedtest has the conformance suites that each of them passes.
package cqrsfeed
