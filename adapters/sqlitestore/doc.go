// Package sqlitestore keeps write models, their outbox and feeds in one SQLite file, with the pure Go driver
// modernc.org/sqlite. It needs no server.
//
// # Opening
//
// The caller opens the database and closes it. [DSN] returns the recommended settings:
//
//	db, err := sql.Open("sqlite", sqlitestore.DSN("app.db"))
//	store, err := sqlitestore.New(db, sqlitestore.Config{})
//	notes, err := sqlitestore.NewRepository[Note](store, "note")
//	feeds, err := sqlitestore.NewFeedStore[Note](store, "note")
//	err = store.EnsureSchema(ctx)
//
// Every other DSN of the driver is correct too. Without a write-ahead log, readers and the writer block each other.
// Without a busy timeout they give up soon. A database in memory is private to one connection, so it needs
// db.SetMaxOpenConns(1). No method of this package needs a second connection.
//
// # Transactions
//
// SQLite allows one writing transaction at a time. Within a process the writers of a [Store] wait for their turn, in
// order. Between processes SQLite's lock decides. A change begins by taking the write lock, so it never fails because
// of a row that it has read. If the database is busy, the store tries again, a bounded number of times. The function
// given to Update runs inside the transaction and must not use the database.
//
// SQLite restarts its write-ahead log only while there are no readers. If reads always overlap, the store empties the
// log after a commit, from 16 MiB on and at most once a second. New readers and writers then wait up to 100 ms for the
// present readers. During a longer read, such as a backup, the log grows.
//
// A change that returned nil is in the file. With the settings of DSN it survives a power loss.
//
// # Outbox
//
// SQLite cannot lock rows, and a transaction that stayed open during publishing would block all writers. Drain
// therefore reads messages, publishes them, and then deletes them. Relays on one Store take turns. Relays of several
// processes on one file may publish the same message, so delivery is at least once.
//
// # Feeds
//
// A [FeedStore] applies each batch in one transaction. Feeds, revisions and counts are always exact. A page is a range
// of one index, however long the feed is, and each of its items is read by its key.
package sqlitestore
