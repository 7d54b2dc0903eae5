// Package mongostore keeps the feeds of package cqrsfeed on MongoDB, or on any server that speaks its protocol and
// changes single documents atomically. It needs neither transactions nor change streams.
//
//	store, err := mongostore.NewFeedStore[Post](client.Database("blog"), mongostore.FeedStoreConfig{Name: "post"})
//	...
//	err = store.EnsureSchema(ctx)
//	...
//	feeds, err := cqrsfeed.NewTagFeeds(cqrsfeed.TagFeedsConfig[Post]{Store: store, FeedsOf: tagsOf})
//
// # Model
//
// An item is one document, and a feed is a query. The names of collections begin with the configured prefix. The format
// of the documents is private to this package and may change between major versions.
//
//	items        {_id: item, v, rule, withheld, pos: "creation|item", updated: µs, feeds: [name], left: [name], past: [name], body: JSON}
//	             index feeds_pos {feeds: 1, pos: -1}
//	feeds        {_id: feed, rev, count, counted, pending: store}
//	             index listed {_id: 1, count: 1}, of the feeds with items (partialFilterExpression {count: {$gt: 0}})
//	             sparse index pending {pending: 1}
//
// One atomic write moves an item between feeds, together with its body. A page never shows an item twice, in a version
// that was replaced, or in a feed that it left. A deleted item keeps its document, without a body, so that late
// messages do not restore it. The head of an empty feed stays, because its revision must continue.
//
// # Apply
//
// Apply is idempotent and does not depend on order. A batch of up to 1,000 items takes these steps, one after the
// other:
//
//  1. Write. The store inserts new items. It reads the others, and replaces an item only if its version has not changed
//     since. The field left records the feeds that an item leaves. At the same time the store reads the heads of the feeds.
//     It skips a head that it wrote last itself, and assumes that nobody has written it since.
//  2. Bump. The store counts each feed by the index, and stores the count with the next revision. If new items are the only
//     change since the store read or wrote the head, it adds their number to the old count instead. A large feed, and each
//     feed of a batch with many, gets its revision at once and is marked as pending. [FeedStore.Recount] counts it later; a
//     projector calls it at start and every second. If there are several processes, one of them counts a feed.
//  3. Settle. For items that left feeds, left becomes past.
//
// A new item takes two commands, one after the other, or up to five if another store changes its feeds too. An item that moves
// between feeds takes five.
//
// After a crash at any step, a redelivery of the batch or a newer version of the item completes the work.
// docs/adr/0004-apply-without-transactions.md has the analysis, and 0035-new-items-are-not-counted.md that of counts.
//
// A repeated batch is announced again and may raise revisions, because the store cannot know whether the first delivery
// bumped and announced the feeds.
//
// A command has at most 8 MB, or one document, and at most a thousand writes or 10,000 names of feeds. A larger batch
// takes several commands.
//
// # Durability
//
// The store overrides the settings of the client: it writes with the concern {w: "majority", j: true}, and reads from
// the primary with the concern "majority". After a failover a redelivered message is therefore acknowledged only if its
// write survived the failover, even if nothing was left to write. Readers never see a state that is rolled back later.
//
// # Servers
//
// The store uses what MongoDB 5 to 8 and FerretDB 2.7 share. The tests run on FerretDB with DocumentDB. Brackets name
// the sections of MongoDB's manual:
//
//   - insert, update, delete, find, getMore, aggregate [Database Commands]; single documents change atomically [Atomicity and
//     Transactions]
//   - $set, $unset, $inc, $setOnInsert, upsert [Update Operators]; Recount also $add, $cond, $eq, $ne and $$REMOVE
//     [Updates with Aggregation Pipeline]
//   - $in, $lt, $gt, and equality with an element of an array [Query an Array]
//   - $match, $group with $sum, $literal and $unionWith, to count [Aggregation Stages]; hint, sort, limit, projection [find]
//   - hello, create, listCollections, createIndexes, listIndexes, explain, by EnsureSchema; multikey, sparse and partial indexes
//     [Index Types, Index Properties]
//
// Expected plans: a page is LIMIT, FETCH, IXSCAN of feeds_pos, without SORT, so that its cost does not depend on the
// feed's size. Its query names the index [hint]. A page of several feeds is LIMIT, FETCH, SORT_MERGE of an IXSCAN for each
// feed: MongoDB does so for up to 200 feeds (internalQueryMaxScansToExplode). A count is COUNT_SCAN of feeds_pos and reads no document. The list of
// feeds is an IXSCAN of listed, and the pending feeds are an IXSCAN of pending. All other access is by _id.
// EnsureSchema asks the server for its plans of a page of one feed and of two, and returns [ErrSorts] if the server would sort.
// DocumentDB merges the ranges if enable_merge_sort_for_in_prefix is on.
//
// A page of several feeds is not a snapshot: an item that moves between two of them while it is read may be missing. The feeds
// are announced when it has moved, so pages that are open are read again.
//
// EnsureSchema refuses servers before MongoDB 5.0. It refuses a collection that is capped or a view, and one with a collation
// other than the simple one, with a validator that refuses writes, or with an expiry. It refuses an index that is unique or has
// an expiry, and one that shares its name with an index of the store but differs in keys or options.
//
// The shard key must be _id, ordered or hashed: every write names it. Pages and counts then ask every shard. EnsureSchema
// refuses another shard key if the user may read config.collections.
//
// Every method ends with its context. The context of a projector's work does not end, so set a time limit on the client,
// as [ClientOptions] does (or timeoutMS in the URI). Without one the driver waits forever for a reply on a connection that a
// firewall has dropped, and the projection waits with it. Its shorter heartbeat and connect timeout let the driver notice
// sooner that all its connections are dead.
package mongostore
