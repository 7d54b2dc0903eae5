// Package crashtest stops the processes that use a store, at any command that they send, and tests that nothing is lost
// or wrong in the end. [TestFeedStore] stops those that apply changes to feeds, [TestPipeline] all from the repository
// to the feeds.
//
// For them an adapter opens a store once for each [Process], on connections whose commands are steps of that process. For
// SQL that is [Connector]:
//
//	db := sql.OpenDB(crashtest.Connector(connector, process))
//
// For other drivers wrap what carries a command to the server and its answer back, such as a net.Conn:
//
//	err := process.Step("update items", func() error { return exchange(command) })
//
// A failure names a seed. With FEEDMILL_CRASH_SEED set to it, the same round is played again. FEEDMILL_CRASHES sets the
// number of crashes of a test; it defaults to 100.
package crashtest
