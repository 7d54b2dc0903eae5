package postgresstore

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"

	"github.com/jackc/pgx/v5"

	"github.com/feedmill/feedmill/cqrsfeed"
)

// leastVersion is 15.
const leastVersion = 150000

// settings are those of a server and of a connection to it.
type settings struct {
	version, encoding string
	number            int
	recovery          bool
	readOnly          string
	backend           uint32
	// mode and process are unknown, 0, if another driver is between database/sql and pgx.
	mode    pgx.QueryExecMode
	process uint32
}

// checkConnection refuses servers and settings with which the store would fail later.
func checkConnection(ctx context.Context, db *sql.DB, _ int) error {
	conn, err := db.Conn(ctx)
	if err != nil {
		return fmt.Errorf("read settings: %w", err)
	}
	defer conn.Close()
	var s settings
	err = conn.Raw(func(driver any) error {
		if c := pgxConn(driver); c != nil {
			s.mode, s.process = c.Config().DefaultQueryExecMode, c.PgConn().PID()
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("read settings: %w", err)
	}
	// The mode is for this statement alone: others may fail behind a pooler.
	err = conn.QueryRowContext(ctx, `SELECT current_setting('server_version'), current_setting('server_version_num')::int,
		current_setting('server_encoding'), pg_is_in_recovery(), current_setting('default_transaction_read_only'), pg_backend_pid()`,
		pgx.QueryExecModeExec).Scan(&s.version, &s.number, &s.encoding, &s.recovery, &s.readOnly, &s.backend)
	if err != nil {
		return fmt.Errorf("read settings: %w", err)
	}
	if problem := s.problem(); problem != "" {
		return fmt.Errorf("%w: %s", cqrsfeed.ErrInvalid, problem)
	}
	return nil
}

// problem says what is wrong and what to set, "" for nothing.
func (s settings) problem() string {
	switch {
	case s.number < leastVersion:
		return fmt.Sprintf("the server is PostgreSQL %s; the store needs 15 or later", s.version)
	case s.encoding != "UTF8":
		return fmt.Sprintf("the database has the encoding %s; create it with ENCODING 'UTF8'", s.encoding)
	case s.recovery:
		return "the server is a standby, which takes no writes; connect to the primary (target_session_attrs=read-write in the DSN)"
	case s.readOnly != "off":
		return "default_transaction_read_only is on; use a server and a session that accept writes"
	case s.pooled() && (s.mode == pgx.QueryExecModeCacheStatement || s.mode == pgx.QueryExecModeDescribeExec):
		return "a pooler such as PgBouncer is between pgx and the server, and pgx is set to use prepared statements, which the next " +
			"transaction would not find on another connection; set default_query_exec_mode=exec in the DSN, or " +
			"DefaultQueryExecMode = pgx.QueryExecModeExec in the configuration of pgx"
	}
	return ""
}

// pooled reports whether the connection is to a pooler: the number of the process that it gave is not the server's.
func (s settings) pooled() bool { return s.process != 0 && s.process != s.backend }

// checkTable refuses a table that a crash of the server would empty, columns that do not compare bytes, and a queue whose
// sequence it may not read.
func checkTable(ctx context.Context, db *sql.DB, table, _ string) error {
	var persistence, columns string
	err := db.QueryRowContext(ctx, `SELECT c.relpersistence::text, coalesce((
		SELECT string_agg(a.attname, ', ' ORDER BY a.attnum) FROM pg_attribute AS a JOIN pg_collation AS o ON o.oid = a.attcollation
		WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped AND o.collname NOT IN ('C', 'POSIX')), '')
		FROM pg_class AS c WHERE c.oid = to_regclass($1)`, quote(table)).Scan(&persistence, &columns)
	switch {
	case err != nil:
		return fmt.Errorf("read the definition of table %s: %w", table, err)
	case persistence != "p":
		return fmt.Errorf("%w: table %s is unlogged or temporary, so that its rows would be lost; convert it with ALTER TABLE %s SET LOGGED",
			cqrsfeed.ErrInvalid, table, quote(table))
	case columns != "":
		return fmt.Errorf(`%w: columns of table %s have another collation than "C": %s; convert each with ALTER TABLE %s ALTER COLUMN … TYPE text COLLATE "C"`,
			cqrsfeed.ErrInvalid, table, columns, quote(table))
	case strings.HasSuffix(table, "outbox"):
		return checkSequence(ctx, db, table)
	}
	return nil
}

// checkSequence refuses a user who could not return parked messages: see takenPlaces.
func checkSequence(ctx context.Context, db *sql.DB, queue string) error {
	var user, sequence string
	err := db.QueryRowContext(ctx, `SELECT quote_ident(current_user), name FROM pg_get_serial_sequence($1, 'id') AS name
		WHERE NOT has_sequence_privilege(name, $2)`, quote(queue), sequenceRight).Scan(&user, &sequence)
	switch {
	case errors.Is(err, sql.ErrNoRows):
		return nil
	case err != nil:
		return fmt.Errorf("read the rights on the sequence of table %s: %w", queue, err)
	default:
		return fmt.Errorf("%w: the user has no right to read the sequence of table %s; run GRANT USAGE ON SEQUENCE %s TO %s",
			cqrsfeed.ErrInvalid, queue, sequence, user)
	}
}
