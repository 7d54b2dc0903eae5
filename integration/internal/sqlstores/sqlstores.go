// Package sqlstores has what the tests of the SQL stores share. Their types are the same, so one function serves all.
package sqlstores

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/stretchr/testify/require"

	"github.com/feedmill/feedmill/adapters/postgresstore"
	"github.com/feedmill/feedmill/cqrsfeed/cqrsfeedtest/crashtest"
	"github.com/feedmill/feedmill/cqrsfeed/cqrsfeedtest/outboxtest"
	"github.com/feedmill/feedmill/cqrsfeed/outbox"
)

// Store is a store on a database of any kind.
type Store = postgresstore.Store

// Connections is how many a pool keeps.
const Connections = 8

// Keep makes a pool keep its Connections, and closes it when the test ends.
func Keep(tb testing.TB, db *sql.DB) *sql.DB {
	tb.Helper()
	db.SetMaxOpenConns(Connections)
	db.SetMaxIdleConns(Connections)
	tb.Cleanup(func() { require.NoError(tb, db.Close()) })
	return db
}

// Fill opens connections and leaves them in the pool.
func Fill(t *testing.T, db *sql.DB, n int) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	open := make([]*sql.Conn, n)
	for i := range open {
		var err error
		open[i], err = db.Conn(ctx)
		require.NoError(t, err)
	}
	for _, conn := range open {
		require.NoError(t, conn.Close())
	}
}

// Intercept opens a database. before makes it call do with each statement.
func Intercept(tb testing.TB, connector driver.Connector) (db *sql.DB, before func(do func(statement string))) {
	tb.Helper()
	var do atomic.Pointer[func(statement string)]
	db = sql.OpenDB(crashtest.Intercept(context.Background(), connector, func(statement string, execute func() error) error {
		if do := do.Load(); do != nil {
			(*do)(statement)
		}
		return execute()
	}))
	return Keep(tb, db), func(f func(statement string)) { do.Store(&f) }
}

// OutboxFixture returns the fixture of a store's outbox. other is a store of another process, and truncate the statement that
// empties the queue and lets its ids start again.
func OutboxFixture(t *testing.T, db *sql.DB, store, other *Store, truncate string) outboxtest.Fixture {
	t.Helper()
	for _, s := range []*Store{store, other} {
		require.NoError(t, s.EnsureSchema(t.Context()))
	}
	return outboxtest.Fixture{
		Outbox:        store.Outbox(),
		Other:         other.Outbox(),
		LocksMessages: true,
		Restart: func(t *testing.T) {
			t.Helper()
			_, err := db.ExecContext(t.Context(), truncate)
			require.NoError(t, err)
		},
		Transaction: func(ctx context.Context, do func(message.Publisher) error) error {
			return store.InTx(ctx, func(tx *sql.Tx) error { return do(store.Outbox().Publisher(tx)) })
		},
	}
}

// DrainExcept publishes up to limit messages of all topics but some, and returns how many there were.
func DrainExcept(tb testing.TB, queue outbox.Outbox, limit int, except ...string) int {
	tb.Helper()
	taken, err := queue.Drain(tb.Context(), limit, except, func(_ context.Context, batch []outbox.Message) []outbox.Result {
		return slices.Repeat([]outbox.Result{{Outcome: outbox.Published}}, len(batch))
	})
	require.NoError(tb, err)
	return taken
}
