// Package cqrsfeedtest is for authors of adapters. The packages below it have a conformance suite for each contract:
//
//	contract                                     suite
//	cqrsfeed.Repository and Importer             repositorytest.TestRepository
//	outbox.Outbox, Operations and Orderer        outboxtest.TestOutbox
//	the order of a repository's events           ordertest.TestOrder
//	cqrsfeed.FeedStore                           feedtest.TestFeedStore
//	readmodel.Store                              readmodeltest.TestRebuild and readmodeltest.TestAudit
//	table projections of a SQL store             tabletest.TestProjection
//	all of these, in processes that are stopped  crashtest.TestFeedStore, TestPipeline and TestTableProjection
//
// A suite is called from a test, with a function that opens an empty store. The repositories and feeds of a suite have
// items with a [Body].
//
//	func TestFeedStore(t *testing.T) {
//		feedtest.TestFeedStore(t, func(t *testing.T) cqrsfeed.FeedStore[cqrsfeedtest.Body] { return openEmpty(t) })
//	}
//
// The suite calls the function once for each behaviour. Behaviours run in parallel, so each call must open a database of its
// own, such as a new file or tables with new names. Clean up with t.Cleanup.
//
// Stores may differ in what a field of a fixture describes. No test is skipped. Run the suites with the race detector, on the
// real server.
package cqrsfeedtest
