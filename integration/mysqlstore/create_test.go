package mysqlstore_test

import (
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/feedmill/feedmill/cqrsfeed"
	"github.com/feedmill/feedmill/cqrsfeed/cqrsfeedtest"
)

// TestManyCreators has far more creators than transactions, each id from two of them: one of both makes the item, the
// other is told so, and no item is without its event.
func TestManyCreators(t *testing.T) {
	t.Parallel()
	const items = 1000
	onEachServer(t, func(t *testing.T, s server) {
		t.Helper()
		db := openDB(t, s.fresh(t))
		repository, outbox := openRepository(t, db)
		published := &events{}
		stop := runRelays(t, published, outbox)
		var running sync.WaitGroup
		var created, existed atomic.Int64
		for i := range items {
			for range 2 {
				running.Go(func() {
					_, err := repository.Create(t.Context(), fmt.Sprintf("item-%03d", i), cqrsfeedtest.Body{Text: fmt.Sprint(i)})
					if err == nil {
						created.Add(1)
					} else if assert.ErrorIs(t, err, cqrsfeed.ErrExists) {
						existed.Add(1)
					}
				})
			}
		}
		running.Wait()
		assert.Equal(t, int64(items), created.Load())
		assert.Equal(t, int64(items), existed.Load())
		published.await(t, items)
		stop()
		require.Len(t, published.all(), items)
		all, err := repository.Scan(t.Context(), "", items+1)
		require.NoError(t, err)
		require.Len(t, all, items)
		for i, item := range all {
			require.Equal(t, fmt.Sprintf("item-%03d", i), item.ID)
			require.Equal(t, fmt.Sprint(i), item.Body.Text)
		}
	})
}

// TestAnIDThatSomebodyHoldsUp is waited for by those alone who create it, not by others who create items at the same
// moment. The server's own patience with the lock is longer than the test's.
func TestAnIDThatSomebodyHoldsUp(t *testing.T) {
	t.Parallel()
	const held, others = 6, 200
	onEachServer(t, func(t *testing.T, s server) {
		t.Helper()
		db := openDB(t, s.fresh(t))
		db.SetMaxOpenConns(0)
		repository, _ := openRepository(t, db)
		holder, err := db.BeginTx(t.Context(), nil)
		require.NoError(t, err)
		for i := range held {
			_, err := holder.ExecContext(t.Context(),
				"INSERT INTO item (id, version, body, created_at, updated_at, deleted) VALUES (?, 1, '{}', 0, 0, false)", fmt.Sprintf("held-%d", i))
			require.NoError(t, err)
		}

		create := func(running *sync.WaitGroup, id string) {
			running.Go(func() {
				_, err := repository.Create(t.Context(), id, cqrsfeedtest.Body{})
				assert.NoError(t, err, id)
			})
		}
		var waiting, free sync.WaitGroup
		for i := range others {
			if i%(others/held) == 0 && i/(others/held) < held {
				create(&waiting, fmt.Sprintf("held-%d", i/(others/held)))
			}
			create(&free, fmt.Sprintf("free-%d", i))
		}
		done := make(chan struct{})
		go func() {
			free.Wait()
			close(done)
		}()
		select {
		case <-done:
		case <-time.After(20 * time.Second):
			assert.Fail(t, "others wait for what somebody holds")
		}
		require.NoError(t, holder.Rollback())
		waiting.Wait()
		<-done
	})
}
