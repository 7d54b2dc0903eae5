package sqlitestore

import (
	"net/url"
	"path/filepath"
)

// DSN returns the data source name for a database file with these settings:
//
//   - A write-ahead log. Readers and the writer do not wait for each other.
//   - synchronous FULL. A commit is on the disk before it returns. NORMAL is faster and may lose the last commits in a
//     power loss, though not in a crash of the program.
//   - A busy timeout of five seconds, for the locks of other processes. Contexts do not end it.
//   - _txlock=immediate. Transactions of database/sql begin by taking the write lock, unless they are read-only. A
//     transaction that reads and then writes is then not refused because another one wrote in between.
//   - Foreign keys are enforced, for tables of the application's own.
//
// The path ":memory:" is a database in memory. Limit the pool to one connection then.
func DSN(path string) string {
	escaped := (&url.URL{Path: filepath.ToSlash(path)}).EscapedPath()
	return "file:" + escaped +
		"?_busy_timeout=5000&_journal_mode=WAL&_synchronous=FULL&_foreign_keys=on&_txlock=immediate"
}
