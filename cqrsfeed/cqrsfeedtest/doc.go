// Package cqrsfeedtest has the conformance suites of package cqrsfeed: what its doc comments promise, as
// tests that every store passes.
//
// The author of an adapter calls a suite from a test of its own and hands it a function that opens an empty
// store. Each test of the suite calls it once, and tests run in parallel, so every call has to give a
// place of its own: a fresh file, or tables with a fresh name. Clean up with t.Cleanup.
//
//	func TestRepository(t *testing.T) {
//		t.Parallel()
//		cqrsfeedtest.TestRepository(t, func(t *testing.T) cqrsfeedtest.RepositoryFixture {
//			db := openFreshDatabase(t)
//			outbox, err := mystore.NewOutbox(db, mystore.OutboxConfig{})
//			require.NoError(t, err)
//			...
//			return cqrsfeedtest.RepositoryFixture{Repository: repository, Outbox: outbox, Topics: topics}
//		})
//	}
//
// A feed store needs no fixture:
//
//	func TestFeedStore(t *testing.T) {
//		t.Parallel()
//		cqrsfeedtest.TestFeedStore(t, func(t *testing.T) cqrsfeed.FeedStore[cqrsfeedtest.Body] {
//			store, err := mystore.NewFeedStore[cqrsfeedtest.Body](openFreshDatabase(t), mystore.FeedStoreConfig{})
//			require.NoError(t, err)
//			require.NoError(t, store.EnsureSchema(t.Context()))
//			return store
//		})
//	}
//
// Two more tests stop the processes that use a store, at every step and in the middle of whatever they do:
// [TestFeedStoreCrashes] those that apply changes to feeds, and [TestPipelineCrashes] all from the repository
// to the feeds. For them an adapter opens a store once for each [Process], on connections whose commands are
// steps of it. For SQL that is [Connector]:
//
//	db := sql.OpenDB(cqrsfeedtest.Connector(connector, process))
//
// For other drivers wrap what carries a command to the server and its answer back, such as a net.Conn:
//
//	err := process.Step("update items", func() error { return exchange(command) })
//
// A feed store that can be rebuilt and audited is held to that by [TestRebuild] and [TestAudit]. The second
// one wants to know how to break the store's database:
//
//	func TestAudit(t *testing.T) {
//		t.Parallel()
//		cqrsfeedtest.TestAudit(t, func(t *testing.T) cqrsfeedtest.AuditFixture {
//			db := openFreshDatabase(t)
//			...
//			return cqrsfeedtest.AuditFixture{Store: store, Break: func(t *testing.T, damage cqrsfeedtest.Damage) {
//				switch damage.Kind {
//				case cqrsfeedtest.EntryGone:
//					...
//			}}
//		})
//	}
//
// The suites are [TestRepository], [TestOutbox], [TestFeedStore], [TestRebuild] and [TestAudit]. Run them with
// the race detector, and on
// the real server: what they test are its locks and its transactions. Where stores may differ, the fixture
// says what this one does; no test is left out.
package cqrsfeedtest
