// Package crashtest stops the processes that use a store at any of their commands, and tests that nothing is lost or wrong in
// the end. [TestFeedStore] stops the processes that apply changes to feeds. [TestPipeline] stops all processes from the
// repository to the feeds, and [TestTableProjection] those from the repository to tables of the application.
//
// An adapter opens a store once for each [Process], on connections whose commands are steps of that process. [Connector] makes
// such connections for SQL:
//
//	db := sql.OpenDB(crashtest.Connector(connector, process))
//
// For other drivers wrap the transport of commands and responses, such as a net.Conn:
//
//	err := process.Step("update items", func() error { return exchange(command) })
//
// A failure prints a seed. FEEDMILL_CRASH_SEED repeats the round of a seed. FEEDMILL_CRASHES is the number of crashes of a test,
// by default 100.
package crashtest
