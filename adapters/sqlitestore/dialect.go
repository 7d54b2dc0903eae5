package sqlitestore

import (
	"context"
	"database/sql/driver"
	"errors"
	"strings"

	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"

	"github.com/feedmill/feedmill/adapters/internal/sqlstore"
)

// packageName stands before the errors of the package.
const packageName = "sqlitestore"

func dialect() sqlstore.Dialect {
	return sqlstore.Dialect{
		Name:           packageName,
		Quote:          quote,
		BeginChange:    []string{"BEGIN IMMEDIATE"},
		DeleteIDs:      deleteIDs,
		OneWriter:      true,
		CommitAgain:    true,
		Classify:       classify,
		ClassifyCommit: classifyCommit,
		NoTransaction:  noTransaction,
		ItemsSchema:    itemsSchema,
		OutboxSchema:   outboxSchema,
		ParkedSchema:   parkedSchema,
	}
}

func quote(table string) string { return `"` + table + `"` }

func deleteIDs(table, ids string) string {
	return "DELETE FROM " + table + " WHERE id IN (" + ids + ")"
}

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
)`, `CREATE INDEX IF NOT EXISTS ` + strings.TrimSuffix(table, `"`) + `_topic" ON ` + table + ` (topic)`}
}

// parkedSchema has the columns of the queue, and why its messages are not there any more.
func parkedSchema(table string) []string {
	return []string{`CREATE TABLE IF NOT EXISTS ` + table + ` (
	id INTEGER PRIMARY KEY,
	uuid TEXT NOT NULL,
	topic TEXT NOT NULL,
	metadata TEXT NOT NULL,
	payload BLOB NOT NULL,
	created_at INTEGER NOT NULL,
	reason TEXT NOT NULL,
	attempts INTEGER NOT NULL,
	parked_at INTEGER NOT NULL
)`}
}

// primaryCode masks the part of an SQLite result code that is its kind.
const primaryCode = 0xff

func classify(err error) sqlstore.Verdict {
	if errors.Is(err, driver.ErrBadConn) {
		return sqlstore.Again
	}
	failure, ok := errors.AsType[*sqlite.Error](err)
	if !ok {
		return sqlstore.Permanent
	}
	switch failure.Code() {
	case sqlite3.SQLITE_CONSTRAINT_PRIMARYKEY, sqlite3.SQLITE_CONSTRAINT_UNIQUE, sqlite3.SQLITE_CONSTRAINT_ROWID:
		return sqlstore.Duplicate
	}
	switch failure.Code() & primaryCode {
	case sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED:
		return sqlstore.Again
	}
	return sqlstore.Permanent
}

// classifyCommit returns Lost only if the disk failed or the wait was ended. Otherwise SQLite reports for certain that the
// commit failed.
func classifyCommit(err error) sqlstore.Verdict {
	if failure, ok := errors.AsType[*sqlite.Error](err); ok {
		switch failure.Code() & primaryCode {
		case sqlite3.SQLITE_IOERR, sqlite3.SQLITE_INTERRUPT:
			return sqlstore.Lost
		}
	}
	if errors.Is(err, context.DeadlineExceeded) || errors.Is(err, context.Canceled) {
		return sqlstore.Lost
	}
	return classify(err)
}

// noTransaction compares the text, because SQLite has no code for it. Several errors and an interrupted statement roll back
// by themselves.
func noTransaction(err error) bool {
	return strings.Contains(err.Error(), "no transaction is active")
}
