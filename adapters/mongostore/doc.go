// Package mongostore keeps the feeds of package cqrsfeed on MongoDB, or on any server that speaks its
// protocol and changes single documents atomically. It needs no transactions and no change streams.
//
//	store, err := mongostore.NewFeedStore[Post](client.Database("blog"), mongostore.FeedStoreConfig{Name: "post"})
//	...
//	err = store.EnsureSchema(ctx)
//	...
//	feeds, err := cqrsfeed.NewTagFeeds(cqrsfeed.TagFeedsConfig[Post]{Store: store, FeedsOf: tagsOf})
//
// # Model
//
// An item is one document, and a feed is a query. Names of collections begin with the configured prefix; the documents
// are this package's own and may change between major versions.
//
//	items        {_id: item, v, pos: "creation|item", updated: µs, feeds: [name], left: [name], past: [name], body: JSON}
//	             index feeds_pos {feeds: 1, pos: -1}
//	feeds        {_id: feed, rev, count, counted, pending}
//	             sparse index pending {pending: 1}
//
// An item moves between feeds with its body in one atomic step. A page never shows an item twice, in a version that
// was replaced, or where it no longer is. A deleted item keeps its document without a body, because late messages must not
// bring it back. The head of a feed stays when the feed is empty, because its revision goes on.
//
// # Apply
//
// Apply is idempotent and free of order. A batch of up to 1,000 items takes these steps, one after the other:
//
//  1. Write: new items are inserted. The others are read, and replaced if they still have the version that was read. The
//     feeds that an item leaves go into left. Beside that the heads of the feeds are read.
//  2. Count the feeds by the index, and then bump their revisions with the counts. Large feeds, and those of a batch with
//     many, are bumped at once and marked as pending: [FeedStore.Recount] counts them, which a projector calls at start
//     and every second.
//  3. Settle items that left feeds: left becomes past.
//
// A new item takes three round trips, and one that moves between feeds five. A crash behind any step is mended
// by the same batch coming again, or by a newer version of the item. A count is a count and never a sum of
// steps. docs/adr/0004-apply-without-transactions.md has the analysis.
//
// A repeated batch is announced again, and may raise revisions: nobody can tell whether its first delivery came to bump
// and to announce.
//
// # Limits
//
// The body of an item and the names of its feeds share a document of 16 MB. Apply refuses an item of which they have
// more than [MaxItemBytes] together before it writes anything.
//
// # Servers
//
// The store uses what MongoDB 5 to 8 and FerretDB 2.7 share. The tests run on FerretDB with DocumentDB. In brackets are the sections of
// MongoDB's manual:
//
//   - insert, update, delete, find, getMore, aggregate [Database Commands]; single documents change atomically [Atomicity and
//     Transactions]
//   - $set, $unset, $inc, $setOnInsert, upsert [Update Operators]; Recount also $add, $cond, $eq, $ne and $$REMOVE
//     [Updates with Aggregation Pipeline]
//   - $in, $lt, $gt, and equality with an element of an array [Query an Array]
//   - $match, $group with $sum, $literal and $unionWith, to count [Aggregation Stages]; hint, sort, limit, projection [find]
//   - create, listCollections, createIndexes, explain, by EnsureSchema; multikey and sparse indexes [Index Types, Index Properties]
//
// Expected plans: a page is LIMIT, FETCH, IXSCAN of feeds_pos, without SORT, so that its cost does not depend on the feed's
// size; it names the index [hint]. A count is COUNT_SCAN of feeds_pos: it reads no document. The pending
// feeds are an IXSCAN of pending. All else is by _id. EnsureSchema asks the server how it reads a page, and returns
// [ErrSorts] where it would sort.
//
// Collections must have the simple collation. Shard them by _id, which every write names. Pages and counts then ask
// every shard. The store writes with majority concern and reads from the primary.
//
// Every method ends with its context, and a projector's work has none that ends. So give the client a time limit
// (options.ClientOptions.SetTimeout, or timeoutMS in the URI): without one the driver waits for ever for an answer on
// a connection that a firewall has forgotten, and the projection with it. A shorter SetHeartbeatInterval and
// SetConnectTimeout let it notice sooner that all connections are dead, not only the one that it waits for.
package mongostore
