package mysqlstore_test

import (
	"context"
	"database/sql"
	"path/filepath"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	_ "modernc.org/sqlite"

	"github.com/feedmill/feedmill/adapters/mysqlstore"
	"github.com/feedmill/feedmill/adapters/sqlitestore"
	"github.com/feedmill/feedmill/cqrsfeed"
	"github.com/feedmill/feedmill/cqrsfeed/cqrsfeedtest"
	"github.com/feedmill/feedmill/cqrsfeed/outbox"
)

// TestWritersDoNotWaitForASlowConsumer measures creations and updates while a Drain is publishing all that waits for at least
// two seconds, and without one. What one Drain holds, on MySQL locked rows, is not what writers write.
func TestWritersDoNotWaitForASlowConsumer(t *testing.T) {
	t.Parallel()
	onEachServer(t, func(t *testing.T, s server) {
		t.Helper()
		store := newStore(t, openDB(t, s.fresh(t)))
		repository, err := mysqlstore.NewRepository[cqrsfeedtest.Body](store, "item")
		require.NoError(t, err)
		require.NoError(t, store.EnsureSchema(t.Context()))
		measureSlowConsumer(t, repository, store.Outbox())
	})
	t.Run("SQLite", func(t *testing.T) {
		t.Parallel()
		db, err := sql.Open("sqlite", sqlitestore.DSN(filepath.Join(t.TempDir(), "slow.db")))
		require.NoError(t, err)
		t.Cleanup(func() { require.NoError(t, db.Close()) })
		store, err := sqlitestore.New(db, sqlitestore.Config{})
		require.NoError(t, err)
		repository, err := sqlitestore.NewRepository[cqrsfeedtest.Body](store, "item")
		require.NoError(t, err)
		require.NoError(t, store.EnsureSchema(t.Context()))
		measureSlowConsumer(t, repository, store.Outbox())
	})
}

func measureSlowConsumer(t *testing.T, repository cqrsfeed.Repository[cqrsfeedtest.Body], queue outbox.Outbox) {
	t.Helper()
	const held = 2 * time.Second
	n := 0
	write := func(atLeast time.Duration) (latencies []time.Duration) {
		for start := time.Now(); time.Since(start) < atLeast || len(latencies) < 200; n++ {
			began := time.Now()
			id := strconv.Itoa(n)
			_, err := repository.Create(t.Context(), id, cqrsfeedtest.Body{})
			require.NoError(t, err)
			_, err = repository.Update(t.Context(), id, func(*cqrsfeedtest.Body) error { return nil })
			require.NoError(t, err)
			latencies = append(latencies, time.Since(began)/2)
		}
		slices.Sort(latencies)
		return latencies
	}
	alone := write(held)
	var beside []time.Duration
	waiting := 2 * n
	taken, err := queue.Drain(t.Context(), waiting, nil, func(_ context.Context, batch []outbox.Message) []outbox.Result {
		beside = write(held)
		return slices.Repeat([]outbox.Result{{Outcome: outbox.Published}}, len(batch))
	})
	require.NoError(t, err)
	require.Equal(t, waiting, taken)
	at := func(latencies []time.Duration, percent int) time.Duration {
		return latencies[(len(latencies)-1)*percent/100]
	}
	t.Logf("a write alone: p50 %v, p99 %v; beside a Drain that holds %d messages for %v: p50 %v, p99 %v, max %v",
		at(alone, 50), at(alone, 99), waiting, held, at(beside, 50), at(beside, 99), at(beside, 100))
	assert.Less(t, at(beside, 100), held/2, "a writer waited for the drain")
}
