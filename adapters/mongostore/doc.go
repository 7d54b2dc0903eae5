// Package mongostore keeps the feeds of package cqrsfeed on MongoDB, or on any server that speaks its
// protocol and keeps single documents atomic. It needs no transactions and no change streams.
//
//	store, err := mongostore.NewFeedStore[Post](client.Database("blog"), mongostore.FeedStoreConfig{})
//	...
//	err = store.EnsureSchema(ctx)
//	...
//	feeds, err := cqrsfeed.NewTagFeeds(cqrsfeed.TagFeedsConfig[Post]{Store: store, FeedsOf: tagsOf})
//
// # What holds
//
// Apply is idempotent and free of order. However batches are repeated, shuffled, cut off and applied by
// workers at once, when every batch was applied without an error at least once, each item is in exactly
// the feeds of its highest version with that version's body. Until then an entry may be missing, left over
// or old; a page never shows an item twice, because an item has one entry in a feed by its key.
//
// Several documents change one after the other, so a reader can see an item in a new feed before it left
// an old one. Each reader sees a feed's revision grow with every change, and with a page at least what its
// revision stands for. Counts follow entries: Apply counts small feeds before it returns unless it is busy, and
// [FeedStore.Recount], which a projector.Projector calls at start and every second, counts the others. A
// count is a count and never a sum of steps, so that no crash makes it wrong for good.
//
// The announcements of a repeated batch name every feed that its first delivery can have changed, so that
// none is lost when a process ends between Apply and the publishing of what it returned.
//
// One kind of leftover no message comes back for: a worker stands still for longer than the broker's
// acknowledgement deadline, its message is applied by another delivery, a newer version takes the item out of
// a feed, and then the worker's write arrives there and it dies before it verifies it. For that Recount looks
// at feeds that items left a second time, after [FeedStoreConfig].SecondLook, when no such write can be on its
// way any more. Until then the entry shows. That rests on clocks that differ, and commands that take to reach the
// server, less than half of that time together; an item that was in over 1,000 feeds is only looked for in the
// later ones. Stores need Recount for it, so run it: a projector.Projector does.
//
// # Apply, step by step
//
// A batch of up to 1,000 items takes these round trips, whatever its size; larger ones are cut.
//
//  1. Claim: one write an item sets its version unless a newer one is there, and records every place where something
//     of the item may be. Beside each other, first versions are inserted and others are upserted with a guard. Items
//     that existed are read back (one more round trip).
//  2. Entries: the current versions are written where they belong, those of new items by inserts, and beside that the
//     leftovers of older ones are deleted, both guarded by version.
//  3. Bump: the revisions of the changed feeds grow and their counts are marked as pending.
//  4. Verify, beside reading the revisions and counting: versions that are still current are marked as
//     done. What a newer version overtook goes through steps 2 to 5 once more to clear its own writes.
//  5. Counts are stored where nobody bumped the feed since step 3.
//
// A crash behind any step leaves the version not done, so that a repeated Apply does the rest, or done
// with nothing left but to count (Recount finds the mark) and to announce (a repeated Apply does).
//
// # Collections
//
// Names begin with the configured prefix; documents are this package's own and may change between major
// versions.
//
//	items    {_id: item, v, done, feeds: [place], touched: [place], past: [place],
//	          left: µs, leftLast: µs, strays: [place]}
//	entries  {_id: place|item, v, body: JSON, updated: µs}    place = escaped feed|creation time
//	feeds    {_id: feed, rev, count, changes, counted, by, pending}
//	checkpoints  {_id: name, value}                           how far a rebuild came
//
// A feed's entries are one range of _id in the order of a page, so a page costs the same in a feed of any
// size, and needs no index but that of _id. The two further indexes, on pending and left, hold only the feeds
// that wait for their count and the items that wait for the second look. Items keep their document after they are
// deleted, because late messages must not bring them back; so do feeds, because their revisions go on.
//
// # Servers
//
// The tests run on FerretDB 2.7 with DocumentDB. MongoDB has all that is used since 4.4, alone or as a replica set:
// beyond plain reads and writes update pipelines, $setUnion, $unionWith and sparse indexes. Collections must
// have the simple collation. The store writes with majority concern and reads from the primary.
//
// Every method ends with its context, and a projector's work has none that ends. So give the client a time limit
// (options.ClientOptions.SetTimeout, or timeoutMS in the URI): without one the driver waits for ever for an answer on
// a connection that a firewall has forgotten, and the projection with it. A shorter SetHeartbeatInterval and
// SetConnectTimeout let it notice sooner that all connections are dead, not only the one that it waits for.
package mongostore
