// Package sqlitestore keeps the write model, its outbox and the feeds in one SQLite file, with the pure Go
// driver modernc.org/sqlite: the whole of cqrsfeed without a server beside the program.
//
// # Opening
//
// The caller opens the database and owns it. [DSN] gives the settings that this package is made for:
//
//	db, err := sql.Open("sqlite", sqlitestore.DSN("app.db"))
//
// Any other DSN of the driver is correct as well, but without a write-ahead log readers and the writer get
// into each other's way, and without a busy timeout they give up soon. A database in memory is private to
// one connection, so it needs db.SetMaxOpenConns(1); no method here ever needs a second one.
//
// # Transactions
//
// SQLite lets one transaction write at a time. All stores on one *sql.DB queue for their turn in the
// process, in order; between processes SQLite's lock decides. A change begins by taking the write lock, so
// it never fails because of what it has read. A busy database is tried again a bounded number of times.
// The function given to Update runs inside of the transaction: it must not use the database itself.
//
// A change that returned nil is in the file, and with DSN's settings also after a power loss.
//
// # Outbox
//
// SQLite cannot lock rows, and a transaction that stayed open while messages are being published would keep
// every writer waiting for the broker. Drain therefore reads, publishes, and then deletes what was
// acknowledged. Relays on one [Outbox] take turns; relays of several processes on one file may publish the
// same message, so delivery is at least once.
//
// # Feeds
//
// A [FeedStore] applies each batch in one transaction: feeds, revisions and counts are exact at every
// moment. A page is a range of one index, however long the feed is, and each of its items is read by its key.
package sqlitestore
