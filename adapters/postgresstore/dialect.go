package postgresstore

import (
	"context"
	"database/sql/driver"
	"errors"
	"io"
	"net"
	"strconv"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/feedmill/feedmill/adapters/internal/sqlstore/sqldb"
)

// packageName stands before the errors of the package.
const packageName = "postgresstore"

// begin names the isolation level, because the session's default may be another one.
const begin = "BEGIN ISOLATION LEVEL READ COMMITTED"

func dialect() sqldb.Dialect {
	return sqldb.Dialect{
		Name:        packageName,
		Bind:        bind,
		Quote:       quote,
		BeginChange: []string{begin},
		// PostgreSQL cannot see what others have not committed, so an INSERT of their id waits for them. It gives up soon.
		// Then each caller has a transaction of its own.
		BeginShared: []string{begin + "; SET LOCAL lock_timeout = '200ms'"},
		// A plan that was made for a small queue may read the whole table, with all deleted rows.
		BeginDrain:       []string{begin + "; SET LOCAL enable_seqscan = off"},
		Unprepared:       []any{pgx.QueryExecModeExec},
		LockRow:          " FOR UPDATE",
		SkipLocked:       " FOR UPDATE SKIP LOCKED",
		KeepsDeletedRows: true,
		PayloadHas:       "POSITION(? IN payload) > 0",
		ReturningID:      true,
		TakenPlaces:      takenPlaces,
		DeleteIDs:        deleteIDs,
		Classify:         classify,
		ClassifyCommit:   classifyCommit,
		NoTransaction:    func(error) bool { return false }, // ROLLBACK without a transaction is no error
		Close:            closeConn,
		CheckConnection:  checkConnection,
		CheckTable:       checkTable,
		BeforeSchema:     beforeSchema,
		ItemsSchema:      itemsSchema,
		OutboxSchema:     outboxSchema,
		ParkedSchema:     parkedSchema,
	}
}

// bind replaces each ? by $1, $2 and so on. No statement of the stores has a ? in a literal.
func bind(query string) string {
	parts := strings.Split(query, "?")
	if len(parts) == 1 {
		return query
	}
	var bound strings.Builder
	bound.WriteString(parts[0])
	for i, part := range parts[1:] {
		bound.WriteByte('$')
		bound.WriteString(strconv.Itoa(i + 1))
		bound.WriteString(part)
	}
	return bound.String()
}

func quote(table string) string { return `"` + table + `"` }

func deleteIDs(table, ids string) string {
	return "DELETE FROM " + table + " WHERE id IN (" + ids + ")"
}

// takenPlaces includes the ids that the sequence has yet to give, because it does not pass over rows. There are such places
// after a TRUNCATE … RESTART IDENTITY. The last value is NULL before the first id, and on newer servers also without the
// right to read it (see sequenceRight). The cast then fails.
func takenPlaces(queue string) string {
	return `WITH s AS MATERIALIZED (SELECT pg_get_serial_sequence('` + queue + `', 'id') AS name)
SELECT n, n FROM s, unnest('{%s}'::bigint[]) AS n
WHERE n > coalesce(pg_sequence_last_value(s.name::regclass), CASE WHEN has_sequence_privilege(s.name, '` + sequenceRight + `') THEN 0
	ELSE ('no right to read sequence ' || s.name)::bigint END) OR EXISTS (SELECT FROM ` + queue + ` WHERE id = n)`
}

// sequenceRight is the right to read a sequence's last value: one of these suffices.
const sequenceRight = "USAGE, SELECT"

// closeTimeout limits how long a connection takes to close.
const closeTimeout = time.Second

// closeConn closes a connection. If it is of a pgxpool.Pool, that would otherwise take it back.
func closeConn(conn any) {
	if conn := pgxConn(conn); conn != nil {
		ctx, cancel := context.WithTimeout(context.Background(), closeTimeout)
		defer cancel()
		_ = conn.Close(ctx)
	}
}

// pgxConn returns the connection of pgx behind one of database/sql, or nil if another driver is in between.
func pgxConn(conn any) *pgx.Conn {
	if holder, ok := conn.(interface{ Conn() *pgx.Conn }); ok {
		return holder.Conn()
	}
	return nil
}

// The server's error codes that decide what happens to a transaction.
const (
	codeDuplicate     = "23505"
	codeSerialization = "40001"
	codeDeadlock      = "40P01"
	codeLockTimeout   = "55P03"
	codeTooMany       = "53300" // connections
	codeReadOnly      = "25006"
	codeIdle          = "25P03" // idle_in_transaction_session_timeout
	codeTooLong       = "25P04" // transaction_timeout

	classConnection = "08"  // also what PgBouncer reports
	classShutdown   = "57P" // and a start that is not finished
)

func classify(err error) sqldb.Verdict {
	if errors.Is(err, driver.ErrBadConn) || errors.Is(err, errRaced) {
		return sqldb.Again
	}
	if failure, ok := errors.AsType[*pgconn.PgError](err); ok {
		return classifyCode(failure.Code)
	}
	if _, ok := errors.AsType[*pgconn.ConnectError](err); ok || errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return sqldb.Permanent
	}
	if _, ok := errors.AsType[net.Error](err); ok || errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, net.ErrClosed) {
		return sqldb.Lost
	}
	return sqldb.Permanent
}

func classifyCode(code string) sqldb.Verdict {
	switch code {
	case codeDuplicate:
		return sqldb.Duplicate
	case codeSerialization, codeDeadlock, codeLockTimeout, codeTooMany:
		return sqldb.Again
	case codeIdle, codeTooLong:
		return sqldb.Lost
	case codeReadOnly:
		return sqldb.Demoted
	}
	if strings.HasPrefix(code, classConnection) || strings.HasPrefix(code, classShutdown) {
		return sqldb.Lost
	}
	return sqldb.Permanent
}

// classifyCommit returns Lost for every error that is not known to have rolled back. An error of the server has, unless
// it ends the connection: a server that shuts down may have committed before.
func classifyCommit(err error) sqldb.Verdict {
	if errors.Is(err, pgx.ErrTxCommitRollback) {
		return sqldb.Permanent
	}
	if failure, ok := errors.AsType[*pgconn.PgError](err); ok && failure.SeverityUnlocalized == "ERROR" {
		return classifyCode(failure.Code)
	}
	return sqldb.Lost
}
