package sqlitestore_test

import (
	"context"
	"database/sql"
	"net/url"
	"os"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/feedmill/feedmill/adapters/sqlitestore"
	"github.com/feedmill/feedmill/cqrsfeed/cqrsfeedtest"
)

// TestTheLogIsBoundedWhileReadsOverlap: there is always a read, so that SQLite itself would never restart the
// write-ahead log.
func TestTheLogIsBoundedWhileReadsOverlap(t *testing.T) {
	t.Parallel()
	path := freshPath(t)
	db := openDB(t, sqlitestore.DSN(path))
	repository, _ := openRepository(t, db)
	ctx, stop := context.WithCancel(t.Context())
	var reading sync.WaitGroup
	overlap(ctx, t, &reading, db)
	overlap(ctx, t, &reading, db)
	largest := int64(0)
	for i := range 600 {
		_, err := repository.Create(t.Context(), strconv.Itoa(i), cqrsfeedtest.Body{Text: strings.Repeat("x", 50_000)})
		require.NoError(t, err)
		status, err := os.Stat(path + "-wal")
		require.NoError(t, err)
		largest = max(largest, status.Size())
	}
	stop()
	reading.Wait()
	t.Logf("the log has at most %d MiB", largest>>20)
	assert.Less(t, largest, int64(40<<20))
}

// overlap reads until ctx ends. Each read takes some time, and begins before the previous one ends.
func overlap(ctx context.Context, t *testing.T, reading *sync.WaitGroup, db *sql.DB) {
	t.Helper()
	begin := func() *sql.Tx {
		tx, err := db.BeginTx(t.Context(), &sql.TxOptions{ReadOnly: true})
		if !assert.NoError(t, err) {
			return nil
		}
		var n int
		assert.NoError(t, tx.QueryRowContext(t.Context(), "SELECT COUNT(*) FROM outbox_parked").Scan(&n))
		return tx
	}
	before := begin()
	reading.Go(func() {
		for before != nil {
			var next *sql.Tx
			select {
			case <-ctx.Done():
			case <-time.After(20 * time.Millisecond):
				next = begin()
			}
			assert.NoError(t, before.Rollback())
			before = next
		}
	})
}

// TestInTxTakesTheWriteLock even without _txlock in the DSN: a transaction that reads and then writes is not refused
// because another one wrote in between.
func TestInTxTakesTheWriteLock(t *testing.T) {
	t.Parallel()
	path := freshPath(t)
	plain := "file:" + (&url.URL{Path: path}).EscapedPath() + "?_journal_mode=WAL"
	store := newStore(t, openDB(t, plain))
	require.NoError(t, store.EnsureSchema(t.Context()))
	other := openDB(t, sqlitestore.DSN(path)+"&_timeout=0")
	require.NoError(t, store.InTx(t.Context(), func(tx *sql.Tx) error {
		var n int
		require.NoError(t, tx.QueryRowContext(t.Context(), "SELECT COUNT(*) FROM outbox").Scan(&n))
		_, err := other.ExecContext(t.Context(), "DELETE FROM outbox")
		require.ErrorContains(t, err, "SQLITE_BUSY")
		return store.Outbox().Add(t.Context(), tx, "t", message.NewMessage("1", nil))
	}))
	assert.Len(t, drainAll(t, store.Outbox()), 1)
}
