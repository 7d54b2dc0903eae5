// Package mysqlstore keeps write models and their outbox on MySQL 8.4 or later, or MariaDB 10.11 or later, with the driver
// github.com/go-sql-driver/mysql.
//
// # Opening
//
// The caller opens the database and closes it. No setting of the DSN is required. Times are stored as whole
// microseconds, so parseTime, loc and the server's time zone do not matter. multiStatements is not used.
// interpolateParams saves a round trip with nearly every statement:
//
//	config, err := mysql.ParseDSN("user:password@tcp(localhost:3306)/app?interpolateParams=true")
//	db, err := mysqlstore.Open(config) // or sql.Open
//	store, err := mysqlstore.New(db, mysqlstore.Config{})
//	notes, err := mysqlstore.NewRepository[Note](store, "note")
//	err = store.EnsureSchema(ctx)
//
// A network can lose a connection without notice to the server, for example when a firewall restarts. The session and
// its locks then stay at the server: locks on a batch that a relay has taken, which other relays skip, or on an item.
// MySQL ends a silent session after eight hours. With wait_timeout=20 in the DSN, which [Open] adds, it ends it after 20
// seconds. The timeout must exceed the time that a relay needs to publish a batch (its DrainTimeout and one call of
// Publish): if the session ends meanwhile, the whole batch is published again. It must also exceed the time that the pool
// keeps an idle connection (SetConnMaxIdleTime), which is 10 seconds by Open.
//
// # Tables
//
// The tables are InnoDB with utf8mb4. Ids are bytes, so that they are compared and ordered exactly, independent of the
// database's collation. Bodies are the text of their JSON, because the type JSON would rewrite it. To create the tables
// yourself, take the statements from SHOW CREATE TABLE of a database where EnsureSchema ran.
//
// # Transactions
//
// Changes run at the session's isolation level and lock the one row that they change. Deadlocks, lock timeouts and
// connections that are lost before the commit are tried again, a bounded number of times. A connection that is lost
// during the commit returns cqrsfeed.ErrUnknownOutcome. If the caller's context ends during the commit, the store still
// waits for the answer, ten seconds at most.
//
// Items that are created concurrently may share a transaction, at READ UNCOMMITTED so that it sees the ids that others
// are inserting. Each caller gets the result of its own item.
//
// EnsureSchema refuses servers and settings with which messages would be accepted but never published, or that break
// the guarantees of this page: autocommit off, completion_type, READ UNCOMMITTED, binlog_format STATEMENT on a server
// with a binary log, tables of another engine or collation, and a read-only server. Its error says what to set.
//
// After a failover the pool keeps connections to the demoted server, because they still work. When a write is refused
// because the server is read-only, the store closes the connection and tries again on another. InTx returns the error.
// Reads do not detect a demoted server: limit the age of connections with db.SetConnMaxLifetime.
//
// # Outbox
//
// Drain takes messages with FOR UPDATE SKIP LOCKED at READ COMMITTED and keeps them locked during publishing. Relays,
// in one process or many, share the work: a message is given to one of them at a time. Writers do not wait for a relay.
// A Drain holds one connection of the pool.
//
// Messages are published in the order of their ids. Transactions that overlap may commit in another order; a relay finds
// the late ones nevertheless, since every row that exists is still to be published. One that stays open for more than a
// second after adding a message may have it published a second after its commit: see docs/outbox.md. Where the order of
// a topic is kept (KeepOrder), one relay at a time publishes it.
//
// # Several instances
//
// They need no broker: see [Live], a small table that tells each instance what changed at the others.
package mysqlstore
