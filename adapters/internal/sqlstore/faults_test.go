package sqlstore_test

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
	"modernc.org/sqlite"

	"github.com/feedmill/feedmill/adapters/internal/sqlstore"
	"github.com/feedmill/feedmill/cqrsfeed/outbox"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// What the faults of these tests look like to the dialect.
var (
	errAgain = errors.New("deadlock")
	errLost  = errors.New("connection lost")
	errDisk  = errors.New("disk full")
)

// faults decides over every statement that a test's database executes.
type faults struct {
	opened atomic.Int64 // connections

	mu     sync.Mutex
	decide func(statement string, execute func() error) error
}

// set makes decide answer for statements that begin with prefix.
func (f *faults) set(prefix string, decide func(execute func() error) error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.decide = func(statement string, execute func() error) error {
		if strings.HasPrefix(statement, prefix) {
			return decide(execute)
		}
		return execute()
	}
}

func (f *faults) answer(statement string, execute func() error) error {
	f.mu.Lock()
	decide := f.decide
	f.mu.Unlock()
	if decide == nil {
		return execute()
	}
	return decide(statement, execute)
}

// times returns err for the first n calls, which execute nothing.
func times(n int, err error) func(execute func() error) error {
	return func(execute func() error) error {
		if n == 0 {
			return execute()
		}
		n--
		return err
	}
}

type faultyConnector struct {
	driver.Connector

	faults *faults
}

func (c faultyConnector) Connect(ctx context.Context) (driver.Conn, error) {
	conn, err := c.Connector.Connect(ctx)
	if err != nil {
		return nil, err
	}
	c.faults.opened.Add(1)
	wrapped, ok := conn.(sqliteConn)
	if !ok {
		return nil, errors.New("the driver has no contexts")
	}
	return faultyConn{wrapped, c.faults}, nil
}

type faultyConn struct {
	sqliteConn

	faults *faults
}

// sqliteConn is what these tests need of the driver's connection.
type sqliteConn interface {
	driver.Conn
	driver.ConnBeginTx
	driver.ExecerContext
	driver.QueryerContext
}

func (c faultyConn) ExecContext(ctx context.Context, query string, args []driver.NamedValue) (result driver.Result, err error) {
	err = c.faults.answer(query, func() error {
		result, err = c.sqliteConn.ExecContext(ctx, query, args)
		return err
	})
	return result, err
}

func (c faultyConn) QueryContext(ctx context.Context, query string, args []driver.NamedValue) (rows driver.Rows, err error) {
	err = c.faults.answer(query, func() error {
		rows, err = c.sqliteConn.QueryContext(ctx, query, args)
		return err
	})
	return rows, err
}

func (c faultyConn) BeginTx(ctx context.Context, options driver.TxOptions) (driver.Tx, error) {
	tx, err := c.sqliteConn.BeginTx(ctx, options)
	return faultyTx{tx, c.faults}, err
}

// faultyTx is a transaction that database/sql began.
type faultyTx struct {
	driver.Tx

	faults *faults
}

func (tx faultyTx) Commit() error { return tx.faults.answer("COMMIT", tx.Tx.Commit) }

func dialect() sqlstore.Dialect {
	classify := func(err error) sqlstore.Verdict {
		switch {
		case errors.Is(err, errAgain):
			return sqlstore.Again
		case errors.Is(err, errLost):
			return sqlstore.Lost
		case strings.Contains(err.Error(), "UNIQUE constraint"):
			return sqlstore.Duplicate
		default:
			return sqlstore.Permanent
		}
	}
	return sqlstore.Dialect{
		Name:           "faulty",
		Quote:          func(table string) string { return table },
		BeginChange:    []string{"BEGIN IMMEDIATE"},
		DeleteIDs:      func(table, ids string) string { return "DELETE FROM " + table + " WHERE id IN (" + ids + ")" },
		OneWriter:      true,
		Classify:       classify,
		ClassifyCommit: classify,
		NoTransaction:  func(err error) bool { return strings.Contains(err.Error(), "no transaction") },
		ItemsSchema: func(table string) []string {
			return []string{"CREATE TABLE IF NOT EXISTS " + table + " (id TEXT PRIMARY KEY, version, body, created_at, updated_at, deleted)"}
		},
		OutboxSchema: func(table string) []string {
			return []string{"CREATE TABLE IF NOT EXISTS " + table +
				" (id INTEGER PRIMARY KEY AUTOINCREMENT, uuid, topic, metadata, payload, created_at)"}
		},
		ParkedSchema: func(table string) []string {
			return []string{"CREATE TABLE IF NOT EXISTS " + table +
				" (id INTEGER PRIMARY KEY, uuid, topic, metadata, payload, created_at, reason, attempts, parked_at)"}
		},
	}
}

type fixture struct {
	db         *sql.DB
	faults     *faults
	store      *sqlstore.Store
	queue      *sqlstore.Outbox
	repository *sqlstore.Repository[string]
}

// open returns a repository with one item, "one", and an empty outbox.
func open(t *testing.T) fixture {
	t.Helper()
	connector, err := sqlite.NewConnector("file:" + t.TempDir() + "/faulty.db?_journal_mode=WAL&_busy_timeout=5000")
	require.NoError(t, err)
	f := fixture{faults: &faults{}}
	f.db = sql.OpenDB(faultyConnector{connector, f.faults})
	t.Cleanup(func() { require.NoError(t, f.db.Close()) })
	f.store, err = sqlstore.New(f.db, dialect(), sqlstore.Config{})
	require.NoError(t, err)
	f.queue = f.store.Outbox()
	f.repository, err = sqlstore.NewRepository[string](f.store, "item")
	require.NoError(t, err)
	require.NoError(t, f.store.EnsureSchema(t.Context()))
	_, err = f.repository.Create(t.Context(), "one", "first")
	require.NoError(t, err)
	f.drain(t)
	<-f.queue.Wake()
	return f
}

// drain empties the outbox and returns how much there was.
func (f fixture) drain(t *testing.T) int {
	t.Helper()
	taken, err := f.queue.Drain(t.Context(), 100, nil, func(_ context.Context, batch []outbox.Message) []outbox.Result {
		return slices.Repeat([]outbox.Result{{Outcome: outbox.Published}}, len(batch))
	})
	require.NoError(t, err)
	return taken
}

func (f fixture) requireVersion(t *testing.T, version int64) {
	t.Helper()
	item, err := f.repository.Get(t.Context(), "one")
	require.NoError(t, err)
	require.Equal(t, version, item.Version)
}
