package postgresstore

import (
	"context"
	"database/sql/driver"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/stretchr/testify/assert"

	"github.com/feedmill/feedmill/adapters/internal/sqlstore/sqldb"
)

func TestClassify(t *testing.T) {
	t.Parallel()
	server := func(code string) error { return &pgconn.PgError{Code: code, SeverityUnlocalized: "ERROR"} }
	ending := func(code string) error { return &pgconn.PgError{Code: code, SeverityUnlocalized: "FATAL"} }
	for _, c := range []struct {
		err            error
		before, commit sqldb.Verdict
	}{
		{server("23505"), sqldb.Duplicate, sqldb.Duplicate},
		{server("40001"), sqldb.Again, sqldb.Again},
		{server("40P01"), sqldb.Again, sqldb.Again},
		{server("55P03"), sqldb.Again, sqldb.Again},
		{server("25006"), sqldb.Demoted, sqldb.Demoted},
		{server("23503"), sqldb.Permanent, sqldb.Permanent}, // a deferred constraint: it has rolled back
		{server("08P01"), sqldb.Lost, sqldb.Lost},           // of PgBouncer
		{ending("57P01"), sqldb.Lost, sqldb.Lost},
		{ending("57P03"), sqldb.Lost, sqldb.Lost},
		{ending("25P03"), sqldb.Lost, sqldb.Lost},
		{ending("40001"), sqldb.Again, sqldb.Lost},
		{driver.ErrBadConn, sqldb.Again, sqldb.Lost},
		{errRaced, sqldb.Again, sqldb.Lost},
		{pgx.ErrTxCommitRollback, sqldb.Permanent, sqldb.Permanent},
		{io.ErrUnexpectedEOF, sqldb.Lost, sqldb.Lost},
		{&net.OpError{Op: "read", Err: errors.New("reset")}, sqldb.Lost, sqldb.Lost},
		{context.DeadlineExceeded, sqldb.Permanent, sqldb.Lost},
		{errors.New("anything else"), sqldb.Permanent, sqldb.Lost},
	} {
		wrapped := fmt.Errorf("update row: %w", c.err)
		assert.Equal(t, c.before, classify(wrapped), "%v", c.err)
		assert.Equal(t, c.commit, classifyCommit(wrapped), "%v at commit", c.err)
	}
}

func TestBind(t *testing.T) {
	t.Parallel()
	for query, want := range map[string]string{
		"COMMIT": "COMMIT",
		"SELECT a FROM t WHERE b = ? AND c IN (?)": "SELECT a FROM t WHERE b = $1 AND c IN ($2)",
		strings.Repeat("?", 11):                    "$1$2$3$4$5$6$7$8$9$10$11",
	} {
		assert.Equal(t, want, bind(query))
	}
}

// TestStatements: whatever the collation of the database is, the tables compare and order by bytes.
func TestStatements(t *testing.T) {
	t.Parallel()
	d := dialect()
	assert.Equal(t, `"Order"`, d.Quote("Order"))
	schemas := [][]string{d.ItemsSchema(`"x"`), d.OutboxSchema(`"x"`), d.ParkedSchema(`"x"`)}
	for _, table := range newFeedTables[any](nil, "x_").Schema {
		schemas = append(schemas, table.Schema)
	}
	for _, schema := range schemas {
		assert.Len(t, schema, 1, "a table that exists needs no right to create one")
		assert.Equal(t, strings.Count(schema[0], "TEXT"), strings.Count(schema[0], `TEXT COLLATE "C"`), schema[0])
	}
}

func TestSettingsThatAreRefused(t *testing.T) {
	t.Parallel()
	good := settings{version: "18.0", number: 180000, encoding: "UTF8", readOnly: "off", backend: 7, process: 7, mode: pgx.QueryExecModeCacheStatement}
	assert.Empty(t, good.problem())
	for want, change := range map[string]func(*settings){
		"needs 15 or later":             func(s *settings) { s.number = 140012 },
		"ENCODING 'UTF8'":               func(s *settings) { s.encoding = "SQL_ASCII" },
		"connect to the primary":        func(s *settings) { s.recovery = true },
		"default_transaction_read_only": func(s *settings) { s.readOnly = "on" },
		"default_query_exec_mode=exec":  func(s *settings) { s.process = 12345 },
	} {
		bad := good
		change(&bad)
		assert.Contains(t, bad.problem(), want)
	}
	for _, mode := range []pgx.QueryExecMode{pgx.QueryExecModeExec, pgx.QueryExecModeCacheDescribe, pgx.QueryExecModeSimpleProtocol} {
		pooled := good
		pooled.process, pooled.mode = 12345, mode
		assert.Empty(t, pooled.problem(), mode)
	}
}
