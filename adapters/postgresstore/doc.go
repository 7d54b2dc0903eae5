// Package postgresstore keeps write models, their outbox and feeds on PostgreSQL 15 or later, with the driver
// github.com/jackc/pgx/v5, by database/sql or by a pool of pgx.
//
// # Opening
//
// The caller opens the database and closes it:
//
//	config, err := pgx.ParseConfig("postgres://user:password@localhost/app")
//	db := postgresstore.Open(config) // or sql.Open("pgx", …) with github.com/jackc/pgx/v5/stdlib
//	store, err := postgresstore.New(db, postgresstore.Config{})
//	notes, err := postgresstore.NewRepository[Note](store, "note")
//	feeds, err := postgresstore.NewFeedStore[Note](store, "note")
//	err = store.EnsureSchema(ctx)
//
// An application on pgx has db := stdlib.OpenDBFromPool(pool), and adds messages to the outbox in its own transactions
// by [Add] or [Publisher]. By default database/sql opens any number of connections and keeps two. A new one costs PostgreSQL
// much, so set db.SetMaxOpenConns and db.SetMaxIdleConns to one number. [Open] sets 20.
//
// PgBouncer in transaction mode, and poolers like it, need default_query_exec_mode=exec in the DSN, so that pgx keeps no
// prepared statements. EnsureSchema notices a pooler and says so. It cannot tell one that could do without, in session
// mode or with max_prepared_statements (PgBouncer 1.21), and wants the setting there too. No setting of a session is used.
//
// A network can lose a connection without notice to the server. The session and its locks then stay: locks on a batch
// that a relay has taken, which other relays skip, or on an item. idle_in_transaction_session_timeout=20000 in the DSN,
// which [Open] adds, ends such a transaction after 20 seconds. It must exceed the time that a relay needs to publish a batch.
//
// # Tables
//
// Ids, topics and names of feeds are compared and ordered by bytes (COLLATE "C"), independent of the database's
// collation. Bodies are the text of their JSON. To create the tables yourself, take the statements from a dump of the
// schema of a database where EnsureSchema ran. At runtime the user needs SELECT, INSERT, UPDATE and DELETE on the tables,
// and USAGE on the sequence of the table outbox, by which parked messages return to their places.
//
// # Transactions
//
// Changes run at READ COMMITTED and lock the one row that they change. Deadlocks, serialization failures and connections
// that are lost before the commit are tried again, a bounded number of times. A connection that is lost during the
// commit returns cqrsfeed.ErrUnknownOutcome. If the caller's context ends during the commit, the store still waits for
// the answer, ten seconds at most. Items that are created concurrently may share a transaction. Each caller gets the
// result of its own item.
//
// EnsureSchema refuses servers and settings with which the store would fail later: an old server, an encoding other than
// UTF8, a standby, a read-only default, a pooler with prepared statements, unlogged tables, and other collations. Its
// error says what to set.
//
// After a failover the pool may keep connections to the demoted server. When a write is refused because the server is
// read-only, the store closes the connection and tries again on another. InTx returns the error. Reads do not detect a
// demoted server: limit the age of connections with db.SetConnMaxLifetime.
//
// # Outbox
//
// Drain takes messages with FOR UPDATE SKIP LOCKED and keeps them locked during publishing. Relays, in one process or
// many, share the work: a message is given to one of them at a time. Writers do not wait for a relay, and no write
// notifies anybody: a NOTIFY would make all commits of the database wait for each other. A Drain holds one connection of
// the pool, so a relay with projections in its process needs two, and three with [Live]. Autovacuum, which looks once a
// minute by default, removes deleted rows from the queue when there are a thousand.
//
// Messages are published in the order of their ids. Transactions that overlap may commit in another order; a relay finds
// the late ones nevertheless, since every row that exists is still to be published. One that stays open for more than a
// second after adding a message may have it published a second after its commit: see docs/outbox.md. Where the order of
// a topic is kept (KeepOrder), one relay at a time publishes it.
//
// # Several instances
//
// They need no broker: see [Live]. It tells the other instances of a batch by one NOTIFY, in a transaction of its own that
// changes nothing and so does not wait for the disk. It listens on one connection of the pool.
//
// # Feeds
//
// A [FeedStore] applies each batch in one transaction. A page is a range of one index, however long the feed is, and
// each of its items is read by its key. Counts and revisions are always exact. They are sums of a few rows, of which a
// writer takes one that no other holds, so writers of one feed do not wait for each other.
//
// A page of a union of n feeds reads up to limit+1 entries of each from that index, n times as many as a page of one feed, and
// only the items of the page.
package postgresstore
