// Package mysqlstore keeps the write model and its outbox on MySQL 8.4 and later or MariaDB 10.11 and later,
// with the driver github.com/go-sql-driver/mysql.
//
// # Opening
//
// The caller opens the database and owns it. No setting of the DSN is needed: parseTime and loc do not
// matter, because times are stored as whole microseconds, and neither does the server's time zone;
// multiStatements is not used. One setting saves a round trip with nearly every statement:
//
//	db, err := sql.Open("mysql", "user:password@tcp(localhost:3306)/app?interpolateParams=true")
//
// Another setting is for networks that forget a connection without telling the server, as a firewall does that is
// restarted. The session then goes on at the server, and what its transaction has locked stays locked: a batch that a
// relay had taken, which every other relay passes over, or an item. MySQL ends a silent session after eight hours; with
// wait_timeout=20 in the DSN it does so after 20 seconds. That has to be longer than a relay takes to publish a batch:
// its DrainTimeout (10 seconds unless you set it) and one call of Publish; a session that ends meanwhile has the whole
// batch published again. And it has to be longer than the pool keeps a connection for the next one:
//
//	db.SetConnMaxIdleTime(10 * time.Second)
//
// # Tables
//
// EnsureSchema creates them: InnoDB, utf8mb4. Ids are kept as bytes, so that they are compared and ordered
// exactly, whatever the database's collation; bodies as the text of their JSON, because the type JSON
// would rewrite it. The user needs no right to create tables when they are there already; the statements
// can be read from SHOW CREATE TABLE of a database where EnsureSchema ran.
//
// # Transactions
//
// Changes run at the session's isolation level, whichever it is, and lock the one row that they change.
// Deadlocks, lock timeouts and connections that are lost before the commit are tried again, a bounded
// number of times. A connection that is lost during the commit gives cqrsfeed.ErrUnknownOutcome. When the
// caller's context ends during the commit its answer is still waited for, ten seconds at most.
//
// Items that are created at the same moment, more than a few, share a transaction, at READ UNCOMMITTED so that it sees
// which ids others are inserting. Each caller is answered for its own item.
//
// Where the server keeps a binary log, binlog_format has to be ROW, as it is by default, or MIXED: with STATEMENT InnoDB
// refuses to write at READ COMMITTED, which the outbox needs.
//
// # Outbox
//
// Drain takes messages with FOR UPDATE SKIP LOCKED at READ COMMITTED and keeps them locked while they are
// being published. Relays, in one process or many, share the work; a message is handed to one of them at a
// time. Writers never wait for a relay. A Drain holds one connection of the pool.
//
// Messages leave in the order of their ids. Transactions that overlap may commit in another order than that
// of their ids; a relay finds the late ones all the same, since every row that exists is still to be
// published.
package mysqlstore
