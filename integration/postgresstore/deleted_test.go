package postgresstore_test

import (
	"context"
	"database/sql"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/feedmill/feedmill/adapters/postgresstore"
	"github.com/feedmill/feedmill/cqrsfeed/outbox"
	"github.com/feedmill/feedmill/integration/internal/servers"
)

// TestDeletedRowsCostNothing counts the pages of the queue that a Drain reads while the server keeps 50,000 deleted rows for
// an old snapshot, such as that of a dump: as many as without them. The plans are from the time when the queue was small,
// the worst that there are: an autovacuum would make the server choose new ones.
func TestDeletedRowsCostNothing(t *testing.T) {
	t.Parallel()
	onServers(t, func(t *testing.T, s server) {
		t.Helper()
		dsn := s.fresh(t)
		db := openDB(t, dsn)
		db.SetMaxOpenConns(1) // which has the plans, and reports what it has read
		queue := openOutbox(t, db)
		exec := func(statement string, args ...any) {
			_, err := db.ExecContext(t.Context(), statement, args...)
			require.NoError(t, err)
		}
		insert := func(topic string, n int) {
			exec(`INSERT INTO outbox (uuid, topic, metadata, payload, created_at)
				SELECT '', $1, '{}', convert_to(repeat('x', 300), 'UTF8'), 1 FROM generate_series(1, $2::int)`, topic, n)
		}
		looks := map[string]func(){
			"all topics":  func() { drainExcept(t, queue, 1000) },
			"some topics": func() { drainExcept(t, queue, 1000, "blocked") },
			"the backlog": func() {
				_, err := queue.Backlog(t.Context())
				require.NoError(t, err)
			},
		}
		exec("ALTER TABLE outbox SET (autovacuum_enabled = false)")
		insert("blocked", 5)
		exec("ANALYZE outbox")
		for range 10 { // after five executions the server keeps a plan
			drainExcept(t, queue, 1, "blocked")
			_, err := queue.Drain(t.Context(), 1, nil, keepAll)
			require.NoError(t, err)
			looks["the backlog"]()
		}
		openSnapshot(t, dsn)
		insert("blocked", 295)
		insert("good", 1)
		looks["all topics"]()
		before := map[string]int{}
		for name, look := range looks {
			before[name] = leastPagesRead(t, db, look)
		}
		insert("good", 50_000)
		insert("zulu", 50)
		insert("good", 50)
		for drainExcept(t, queue, 1000, "blocked") > 0 {
		}
		for name, look := range looks {
			deadline := time.Now().Add(20 * time.Second)
			after := leastPagesRead(t, db, look)
			for after > before[name]+20 && time.Now().Before(deadline) {
				after = leastPagesRead(t, db, look)
			}
			assert.Less(t, after, before[name]+20, "%s: deleted rows are read", name)
		}
		insert("blocked", 1)
		insert("new", 2)
		require.Eventually(t, func() bool { return drainExcept(t, queue, 10, "blocked") == 2 },
			10*time.Second, 10*time.Millisecond, "a topic that is new while another one is left out")
		assert.Equal(t, 1, drainExcept(t, queue, 10))
	}, server{"PostgreSQL 18", servers.Postgres}, server{"PostgreSQL 15", servers.Postgres15})
}

func keepAll(_ context.Context, batch []outbox.Message) []outbox.Result {
	return slices.Repeat([]outbox.Result{{Outcome: outbox.Keep}}, len(batch))
}

// drainExcept publishes up to limit messages of all topics but some, and returns how many there were.
func drainExcept(t *testing.T, queue *postgresstore.Outbox, limit int, except ...string) int {
	t.Helper()
	taken, err := queue.Drain(t.Context(), limit, except, func(_ context.Context, batch []outbox.Message) []outbox.Result {
		return slices.Repeat([]outbox.Result{{Outcome: outbox.Published}}, len(batch))
	})
	require.NoError(t, err)
	return taken
}

// openSnapshot keeps the server from forgetting what is deleted from now on.
func openSnapshot(t *testing.T, dsn string) {
	t.Helper()
	db := openDB(t, dsn)
	tx, err := db.BeginTx(t.Context(), &sql.TxOptions{Isolation: sql.LevelRepeatableRead, ReadOnly: true})
	require.NoError(t, err)
	t.Cleanup(func() { _ = tx.Rollback() })
	var n int
	require.NoError(t, tx.QueryRowContext(t.Context(), "SELECT count(*) FROM outbox").Scan(&n))
}

// leastPagesRead returns how many pages of the queue and its indexes a look reads: the least of several, some of which are
// sweeps.
func leastPagesRead(t *testing.T, db *sql.DB, look func()) int {
	t.Helper()
	pages := func() (n int) {
		_, err := db.ExecContext(t.Context(), "SELECT pg_stat_force_next_flush()")
		require.NoError(t, err)
		require.NoError(t, db.QueryRowContext(t.Context(), `SELECT heap_blks_read + heap_blks_hit + idx_blks_read + idx_blks_hit
			FROM pg_statio_user_tables WHERE relname = 'outbox'`).Scan(&n))
		return n
	}
	var counts []int
	for range 5 {
		before := pages()
		look()
		counts = append(counts, pages()-before)
	}
	return slices.Min(counts)
}
