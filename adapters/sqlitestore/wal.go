package sqlitestore

import (
	"context"
	"database/sql"
	"os"
	"strconv"
	"time"
)

const (
	// maxLogBytes is the size from which the write-ahead log is emptied. SQLite itself restarts it at about 4 MiB, but
	// only while there are no readers.
	maxLogBytes = 16 << 20
	// emptyTimeout is the maximum time that writers and new readers wait for the present readers.
	emptyTimeout = 100 * time.Millisecond
	// minEmptyInterval is the least time between tries. A try fails if a reader takes longer than emptyTimeout.
	minEmptyInterval = time.Second
)

// walLimit limits the write-ahead log of a database. It is called after each commit, by one writer at a time.
type walLimit struct {
	known bool
	path  string // empty if there is none
	tried time.Time
}

// committed empties the log if it is too long. If that fails, it is tried again after another commit.
func (l *walLimit) committed(ctx context.Context, conn *sql.Conn) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Second)
	defer cancel()
	if !l.known {
		var number int
		var name, file string
		if err := conn.QueryRowContext(ctx, "PRAGMA database_list").Scan(&number, &name, &file); err != nil {
			return
		}
		l.known = true
		if file != "" {
			l.path = file + "-wal"
		}
	}
	if l.path == "" || time.Since(l.tried) < minEmptyInterval {
		return
	}
	if status, err := os.Stat(l.path); err != nil || status.Size() < maxLogBytes {
		return
	}
	l.tried = time.Now()
	var timeout, busy, frames, copied int
	if err := conn.QueryRowContext(ctx, "PRAGMA busy_timeout").Scan(&timeout); err != nil {
		return
	}
	defer setBusyTimeout(ctx, conn, timeout)
	setBusyTimeout(ctx, conn, int(emptyTimeout/time.Millisecond))
	_ = conn.QueryRowContext(ctx, "PRAGMA wal_checkpoint(TRUNCATE)").Scan(&busy, &frames, &copied)
}

func setBusyTimeout(ctx context.Context, conn *sql.Conn, milliseconds int) {
	_, _ = conn.ExecContext(ctx, "PRAGMA busy_timeout = "+strconv.Itoa(milliseconds))
}
