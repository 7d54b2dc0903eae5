package sqlitestore_test

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/feedmill/feedmill/adapters/sqlitestore"
	"github.com/feedmill/feedmill/cqrsfeed/cqrsfeedtest"
	"github.com/feedmill/feedmill/cqrsfeed/outbox"
)

// TestWritersOfSeveralProcesses uses a pool for each process, so that only SQLite's lock separates them.
func TestWritersOfSeveralProcesses(t *testing.T) {
	t.Parallel()
	const processes, rounds = 4, 15
	path := freshPath(t)
	first, queue := openRepository(t, openDB(t, sqlitestore.DSN(path)))
	_, err := first.Create(t.Context(), "hot", cqrsfeedtest.Body{})
	require.NoError(t, err)
	var running sync.WaitGroup
	for process := range processes {
		repository, _ := openRepository(t, openDB(t, sqlitestore.DSN(path)))
		running.Go(func() {
			for round := range rounds {
				_, err := repository.Update(t.Context(), "hot", func(body *cqrsfeedtest.Body) error {
					body.Tags = append(body.Tags, fmt.Sprintf("%d/%d", process, round))
					return nil
				})
				assert.NoError(t, err)
			}
		})
	}
	running.Wait()
	item, err := first.Get(t.Context(), "hot")
	require.NoError(t, err)
	assert.Equal(t, int64(1+processes*rounds), item.Version)
	assert.Len(t, item.Body.Tags, processes*rounds)
	assert.Len(t, drainAll(t, queue), 1+processes*rounds)
}

func drainAll(t *testing.T, queue outbox.Outbox) []outbox.Message {
	t.Helper()
	var messages []outbox.Message
	_, err := queue.Drain(t.Context(), 10_000, nil, func(_ context.Context, batch []outbox.Message) []outbox.Result {
		messages = batch
		return slices.Repeat([]outbox.Result{{Outcome: outbox.Published}}, len(batch))
	})
	require.NoError(t, err)
	return messages
}

// TestAWriterThatIsInTheWayIsWaitedFor by retries, without a busy timeout.
func TestAWriterThatIsInTheWayIsWaitedFor(t *testing.T) {
	t.Parallel()
	path := freshPath(t)
	repository, _ := openRepository(t, openDB(t, sqlitestore.DSN(path)+"&_timeout=0"))
	other, err := openDB(t, sqlitestore.DSN(path)).BeginTx(t.Context(), nil)
	require.NoError(t, err)
	done := make(chan error, 1)
	go func() {
		_, err := repository.Create(t.Context(), "one", cqrsfeedtest.Body{})
		done <- err
	}()
	select {
	case err := <-done:
		require.Fail(t, "did not wait", err)
	case <-time.After(50 * time.Millisecond):
	}
	require.NoError(t, other.Rollback())
	require.NoError(t, <-done)
}

// TestAChangeLocksBeforeItReads: no other process can write between its reads and its writes, so that it never has to
// start again.
func TestAChangeLocksBeforeItReads(t *testing.T) {
	t.Parallel()
	path := freshPath(t)
	repository, _ := openRepository(t, openDB(t, sqlitestore.DSN(path)))
	other := openDB(t, sqlitestore.DSN(path)+"&_timeout=0")
	_, err := repository.Create(t.Context(), "one", cqrsfeedtest.Body{})
	require.NoError(t, err)
	calls := 0
	_, err = repository.Update(t.Context(), "one", func(*cqrsfeedtest.Body) error {
		calls++
		_, err := other.ExecContext(t.Context(), "UPDATE item SET version = version")
		require.ErrorContains(t, err, "SQLITE_BUSY")
		return nil
	})
	require.NoError(t, err)
	assert.Equal(t, 1, calls)
}
