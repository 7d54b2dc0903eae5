package sqlitestore

import (
	"net/url"
	"path/filepath"
)

// DSN returns the data source name for a database file with the settings that this package is made for:
//
//   - a write-ahead log, so that readers and the writer do not wait for each other;
//   - synchronous FULL: a commit is on the disk before it returns. NORMAL is faster and may lose the last commits in a
//     power loss, though not in a crash of the program;
//   - a busy timeout of five seconds, for the locks of other processes. Contexts do not end it;
//   - transactions of database/sql begin by taking the write lock, unless they are read-only, so that one that reads and
//     then writes is not refused because another wrote in between;
//   - foreign keys are enforced, for tables of the application's own.
//
// The path ":memory:" gives a database in memory; limit the pool to one connection then.
func DSN(path string) string {
	escaped := (&url.URL{Path: filepath.ToSlash(path)}).EscapedPath()
	return "file:" + escaped +
		"?_busy_timeout=5000&_journal_mode=WAL&_synchronous=FULL&_foreign_keys=on&_txlock=immediate"
}
