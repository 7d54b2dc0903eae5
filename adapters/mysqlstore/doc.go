// Package mysqlstore keeps write models and their outbox on MySQL 8.4 or later, or MariaDB 10.11 or later, with the driver
// github.com/go-sql-driver/mysql.
//
// # Opening
//
// The caller opens the database and closes it. No setting of the DSN is required: times are stored as whole microseconds,
// so parseTime, loc and the server's time zone do not matter, and multiStatements is not used. interpolateParams saves a
// round trip with nearly every statement:
//
//	db, err := sql.Open("mysql", "user:password@tcp(localhost:3306)/app?interpolateParams=true")
//	store, err := mysqlstore.New(db, mysqlstore.Config{})
//	notes, err := mysqlstore.NewRepository[Note](store, "note")
//	err = store.EnsureSchema(ctx)
//
// A network can lose a connection without telling the server, for example when a firewall restarts. The session then lives
// on at the server, and so do its locks: on a batch that a relay has taken, which other relays skip, or on an item. MySQL
// ends a silent session after eight hours. With wait_timeout=20 in the DSN it does so after 20 seconds. That must be longer
// than a relay needs to publish a batch (its DrainTimeout and one call of Publish), because a session that ends meanwhile
// has the whole batch published again. It must also be longer than the pool keeps an idle connection:
//
//	db.SetConnMaxIdleTime(10 * time.Second)
//
// # Tables
//
// The tables are InnoDB with utf8mb4. Ids are bytes, so that they are compared and ordered exactly, whatever the
// database's collation. Bodies are the text of their JSON, because the type JSON would rewrite it. To create the tables
// yourself, take the statements from SHOW CREATE TABLE of a database where EnsureSchema ran.
//
// # Transactions
//
// Changes run at the session's isolation level and lock the one row that they change. Deadlocks, lock timeouts and
// connections that are lost before the commit are tried again, a bounded number of times. A connection that is lost during
// the commit gives cqrsfeed.ErrUnknownOutcome. If the caller's context ends during the commit, the answer is still waited
// for, ten seconds at most.
//
// When several items are created at the same moment they share a transaction, at READ UNCOMMITTED so that it sees the ids
// that others are inserting. Each caller gets the result of its own item.
//
// If the server writes a binary log, binlog_format must be ROW (the default) or MIXED: with STATEMENT InnoDB refuses writes
// at READ COMMITTED, which the outbox needs.
//
// # Outbox
//
// Drain takes messages with FOR UPDATE SKIP LOCKED at READ COMMITTED and keeps them locked while they are published. Relays,
// in one process or many, share the work: a message is handed to one of them at a time. Writers do not wait for a relay. A
// Drain holds one connection of the pool.
//
// Messages are published in the order of their ids. Transactions that overlap may commit in another order; a relay finds
// the late ones nevertheless, since every row that exists is still to be published.
package mysqlstore
