// Package sqlitestore keeps write models, their outbox and feeds in one SQLite file, with the pure Go driver
// modernc.org/sqlite: all of cqrsfeed without a server.
//
// # Opening
//
// The caller opens the database and closes it. [DSN] returns the settings that this package is made for:
//
//	db, err := sql.Open("sqlite", sqlitestore.DSN("app.db"))
//	store, err := sqlitestore.New(db, sqlitestore.Config{})
//	notes, err := sqlitestore.NewRepository[Note](store, "note")
//	feeds, err := sqlitestore.NewFeedStore[Note](store, "note")
//	err = store.EnsureSchema(ctx)
//
// Any other DSN of the driver is correct as well. Without a write-ahead log readers and the writer block each other, and
// without a busy timeout they give up soon. A database in memory is private to one connection, so it needs
// db.SetMaxOpenConns(1); no method here ever needs a second connection.
//
// # Transactions
//
// SQLite lets one transaction write at a time. In a process the writers of a [Store] wait for their turn, in order; between
// processes SQLite's lock decides. A change begins by taking the write lock, so it never fails because of what it has read.
// A busy database is tried again a bounded number of times. The function given to Update runs inside the transaction: it
// must not use the database.
//
// A change that returned nil is in the file. With DSN's settings it survives a power loss.
//
// # Outbox
//
// SQLite cannot lock rows, and a transaction that stayed open while messages are published would block all writers for as
// long. Drain therefore reads, publishes, and then deletes what was published. Relays on one Store take turns. Relays of
// several processes on one file may publish the same message, so delivery is at least once.
//
// # Feeds
//
// A [FeedStore] applies each batch in one transaction: feeds, revisions and counts are exact at every moment. A page is a
// range of one index, however long the feed is, and each of its items is read by its key.
package sqlitestore
