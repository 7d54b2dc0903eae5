package postgresstore_test

import (
	"context"
	"database/sql"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/feedmill/feedmill/cqrsfeed/outbox"
	"github.com/feedmill/feedmill/integration/internal/servers"
	"github.com/feedmill/feedmill/integration/internal/sqlstores"
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
		theBacklog := sqlstores.Looks(t, queue)["the backlog"]
		exec("ALTER TABLE outbox SET (autovacuum_enabled = false)")
		insert("blocked", 5)
		exec("ANALYZE outbox")
		for range 10 { // after five executions the server keeps a plan
			sqlstores.DrainExcept(t, queue, 1, "blocked")
			_, err := queue.Drain(t.Context(), 1, nil, keepAll)
			require.NoError(t, err)
			theBacklog()
		}
		openSnapshot(t, dsn)
		insert("blocked", 295)
		sqlstores.RequireDeletedRowsCostNothing(t, queue, insert, func() (pages int) {
			exec("SELECT pg_stat_force_next_flush()")
			require.NoError(t, db.QueryRowContext(t.Context(), `SELECT heap_blks_read + heap_blks_hit + idx_blks_read + idx_blks_hit
				FROM pg_statio_user_tables WHERE relname = 'outbox'`).Scan(&pages))
			return pages
		})
	}, server{"PostgreSQL 18", servers.Postgres}, server{"PostgreSQL 15", servers.Postgres15})
}

func keepAll(_ context.Context, batch []outbox.Message) []outbox.Result {
	return slices.Repeat([]outbox.Result{{Outcome: outbox.Keep}}, len(batch))
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
