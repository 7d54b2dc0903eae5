package mysqlstore_test

import (
	"database/sql"
	"testing"
	"time"

	"github.com/ThreeDotsLabs/watermill"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/feedmill/feedmill"
	"github.com/feedmill/feedmill/adapters/mysqlstore"
	"github.com/feedmill/feedmill/integration/internal/livetest"
)

// newLive returns a Live of a store of its own.
func newLive(t *testing.T, db *sql.DB) *mysqlstore.Live {
	t.Helper()
	store := newStore(t, db)
	live, err := mysqlstore.NewLive(store, mysqlstore.LiveConfig{PollInterval: 5 * time.Millisecond}, watermill.NopLogger{})
	require.NoError(t, err)
	require.NoError(t, store.EnsureSchema(t.Context()))
	t.Cleanup(func() { assert.NoError(t, live.Close()) })
	return live
}

func TestLive(t *testing.T) {
	t.Parallel()
	onEachServer(t, func(t *testing.T, s server) {
		t.Helper()
		livetest.Test(t, func(t *testing.T) livetest.Open {
			t.Helper()
			db := openDB(t, s.fresh(t))
			return func(t *testing.T) feedmill.Live {
				t.Helper()
				return newLive(t, db)
			}
		})
	})
}

// TestMissedRowsEndTheSubscriptions: rows that were removed before they were read, or replaced, as a failover does that loses
// the last ones.
func TestMissedRowsEndTheSubscriptions(t *testing.T) {
	t.Parallel()
	onEachServer(t, func(t *testing.T, s server) {
		t.Helper()
		db := openDB(t, s.fresh(t))
		one, other := newLive(t, db), newLive(t, db)
		for _, miss := range []string{
			"DELETE FROM live", "UPDATE live SET name = 'another'", "UPDATE live SET id = id + 2 ORDER BY id DESC",
			"INSERT INTO live SELECT MAX(id) + 2, 'another', '' FROM live",
		} {
			messages := livetest.Subscribe(t, other, "a")
			livetest.Publish(t, one, "a", "1", "")
			require.Equal(t, "1", livetest.Next(t, messages).UUID)
			_, err := db.ExecContext(t.Context(), miss)
			require.NoError(t, err)
			require.Nil(t, livetest.Next(t, messages), miss)
		}
	})
}

// TestOldRowsAreRemoved, but for the last one, so that the ids go on.
func TestOldRowsAreRemoved(t *testing.T) {
	t.Parallel()
	onEachServer(t, func(t *testing.T, s server) {
		t.Helper()
		db := openDB(t, s.fresh(t))
		one, other := newLive(t, db), newLive(t, db)
		messages := livetest.Subscribe(t, other, "a")
		for range 20 {
			livetest.Publish(t, one, "a", "1", "")
			livetest.Next(t, messages)
		}
		require.Eventually(t, func() bool {
			var rows, last int
			require.NoError(t, db.QueryRowContext(t.Context(), "SELECT COUNT(*), MAX(id) FROM live").Scan(&rows, &last))
			return rows == 1 && last == 20
		}, time.Minute, 50*time.Millisecond)
		livetest.Publish(t, one, "a", "2", "")
		require.Equal(t, "2", livetest.Next(t, messages).UUID, "the reader goes on")
	})
}
