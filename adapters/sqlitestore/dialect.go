package sqlitestore

import (
	"context"
	"database/sql/driver"
	"errors"
	"strings"

	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"

	"github.com/feedmill/feedmill/adapters/internal/sqlstore/sqldb"
)

// packageName stands before the errors of the package.
const packageName = "sqlitestore"

func dialect() sqldb.Dialect {
	return sqldb.Dialect{
		Name:           packageName,
		Quote:          quote,
		BeginChange:    []string{"BEGIN IMMEDIATE"},
		DeleteIDs:      deleteIDs,
		OneWriter:      true,
		CommitAgain:    true,
		Classify:       classify,
		ClassifyCommit: classifyCommit,
		NoTransaction:  noTransaction,
		Committed:      new(walLimit).committed,
		LockInTx:       lockInTx,
		ItemsSchema:    itemsSchema,
		OutboxSchema:   outboxSchema,
		ParkedSchema:   parkedSchema,
	}
}

func quote(table string) string { return `"` + table + `"` }

func deleteIDs(table, ids string) string {
	return "DELETE FROM " + table + " WHERE id IN (" + ids + ")"
}

// lockInTx takes the lock of the writer, although it changes nothing. Without it a transaction that reads first and then writes
// would fail if another one wrote in between. A DSN with _txlock=immediate has taken it before.
func lockInTx(table string) string { return "DELETE FROM " + table + " WHERE 0" }

func itemsSchema(table string) []string {
	return []string{`CREATE TABLE IF NOT EXISTS ` + table + ` (
	id TEXT NOT NULL PRIMARY KEY,
	version INTEGER NOT NULL,
	body TEXT NOT NULL,
	created_at INTEGER NOT NULL,
	updated_at INTEGER NOT NULL,
	deleted INTEGER NOT NULL
)`}
}

// outboxSchema uses AUTOINCREMENT so that no id is used again: a relay may still delete it. The index, which includes the id,
// is for drains that leave out topics.
func outboxSchema(table string) []string {
	return []string{`CREATE TABLE IF NOT EXISTS ` + table + ` (
	id INTEGER PRIMARY KEY AUTOINCREMENT,
	uuid TEXT NOT NULL,
	topic TEXT NOT NULL,
	metadata TEXT NOT NULL,
	payload BLOB NOT NULL,
	created_at INTEGER NOT NULL
)`, topicIndex(table)}
}

func topicIndex(table string) string {
	return `CREATE INDEX IF NOT EXISTS ` + strings.TrimSuffix(table, `"`) + `_topic" ON ` + table + ` (topic)`
}

// parkedSchema has the columns of the queue, the place in it, and why the messages are not there any more.
func parkedSchema(table string) []string {
	return []string{`CREATE TABLE IF NOT EXISTS ` + table + ` (
	id INTEGER PRIMARY KEY AUTOINCREMENT,
	place INTEGER NOT NULL,
	uuid TEXT NOT NULL,
	topic TEXT NOT NULL,
	metadata TEXT NOT NULL,
	payload BLOB NOT NULL,
	created_at INTEGER NOT NULL,
	reason TEXT NOT NULL,
	attempts INTEGER NOT NULL,
	parked_at INTEGER NOT NULL
)`, topicIndex(table)}
}

// primaryCode masks the part of an SQLite result code that is its kind.
const primaryCode = 0xff

func classify(err error) sqldb.Verdict {
	if errors.Is(err, driver.ErrBadConn) {
		return sqldb.Again
	}
	failure, ok := errors.AsType[*sqlite.Error](err)
	if !ok {
		return sqldb.Permanent
	}
	switch failure.Code() {
	case sqlite3.SQLITE_CONSTRAINT_PRIMARYKEY, sqlite3.SQLITE_CONSTRAINT_UNIQUE, sqlite3.SQLITE_CONSTRAINT_ROWID:
		return sqldb.Duplicate
	}
	switch failure.Code() & primaryCode {
	case sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED:
		return sqldb.Again
	}
	return sqldb.Permanent
}

// classifyCommit returns Lost only if the disk failed or the wait was ended. Otherwise SQLite reports for certain that the
// commit failed.
func classifyCommit(err error) sqldb.Verdict {
	if failure, ok := errors.AsType[*sqlite.Error](err); ok {
		switch failure.Code() & primaryCode {
		case sqlite3.SQLITE_IOERR, sqlite3.SQLITE_INTERRUPT:
			return sqldb.Lost
		}
	}
	if errors.Is(err, context.DeadlineExceeded) || errors.Is(err, context.Canceled) {
		return sqldb.Lost
	}
	return classify(err)
}

// noTransaction compares the text, because SQLite has no code for it. Several errors and an interrupted statement roll back
// by themselves.
func noTransaction(err error) bool {
	return strings.Contains(err.Error(), "no transaction is active")
}
