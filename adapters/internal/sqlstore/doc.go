// Package sqlstore implements cqrsfeed.Repository and outbox.Outbox on database/sql, once for all SQL databases. What one
// database does differently is a [Dialect]. Applications import mysqlstore or sqlitestore, whose types are aliases of the
// types here.
//
// Where to find what:
//
//   - store.go, config.go, schema.go: the Store, names and tables; intx.go: the application's own transactions;
//   - database.go, retry.go, gate.go: how a transaction runs, is retried, and waits for its turn to write;
//   - outbox*.go: adding, draining, parking and counting messages;
//   - repository*.go: creating (alone and together), changing and reading items;
//   - groupcommit: how callers come to share a transaction.
package sqlstore
