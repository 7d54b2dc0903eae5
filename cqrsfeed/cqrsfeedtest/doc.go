// Package cqrsfeedtest has the conformance suites of package cqrsfeed: [TestRepository], [TestOutbox], [TestFeedStore],
// [TestRebuild] and [TestAudit]. They test what the comments of the interfaces promise. Package crashtest has the tests
// that stop processes.
//
// The author of an adapter calls a suite with a function that opens an empty store. Each behaviour calls it once, and
// behaviours run in parallel, so every call needs a place of its own: a fresh file, or tables with a fresh name. Clean
// up with t.Cleanup.
//
//	func TestFeedStore(t *testing.T) {
//		t.Parallel()
//		cqrsfeedtest.TestFeedStore(t, func(t *testing.T) cqrsfeed.FeedStore[cqrsfeedtest.Body] {
//			store, err := mystore.NewFeedStore[cqrsfeedtest.Body](openFreshDatabase(t), "item")
//			require.NoError(t, err)
//			require.NoError(t, store.EnsureSchema(t.Context()))
//			return store
//		})
//	}
//
// The suites of repositories and outboxes take a fixture, see [RepositoryFixture] and [OutboxFixture]. That of audits
// takes a function that damages the store's database, see [AuditFixture]:
//
//	return cqrsfeedtest.AuditFixture{Store: store, Break: func(t *testing.T, damage cqrsfeedtest.Damage) {
//		switch damage.Kind {
//		case cqrsfeedtest.ItemGone:
//			...
//	}}
//
// Where stores may differ, the fixture says what this one does; no test is skipped. Run the suites with the race
// detector, on the real server.
package cqrsfeedtest
