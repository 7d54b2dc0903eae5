package mysqlstore_test

import (
	"context"
	"database/sql"
	"fmt"
	"sync"
	"testing"

	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/feedmill/feedmill/adapters/mysqlstore"
	"github.com/feedmill/feedmill/cqrsfeed"
	"github.com/feedmill/feedmill/cqrsfeed/cqrsfeedtest"
)

// cutStores are the same tables twice: through a proxy that cuts connections, and directly. There is an item "one"
// with version 1, and nothing in the outbox.
type cutStores struct {
	proxy             *cuttingProxy
	cut, direct       *mysqlstore.Repository[cqrsfeedtest.Body]
	cutOutbox, outbox *mysqlstore.Outbox
	cutStore          *mysqlstore.Store
}

func openCutStores(t *testing.T, s server) cutStores {
	t.Helper()
	dsn := s.fresh(t)
	var c cutStores
	c.direct, c.outbox = openRepository(t, openDB(t, dsn))
	proxy, through := startProxy(t, dsn)
	c.proxy = proxy
	c.cutStore = newStore(t, openDB(t, through))
	c.cutOutbox = c.cutStore.Outbox()
	var err error
	c.cut, err = mysqlstore.NewRepository[cqrsfeedtest.Body](c.cutStore, "item")
	require.NoError(t, err)
	_, err = c.direct.Create(t.Context(), "one", cqrsfeedtest.Body{Text: "before"})
	require.NoError(t, err)
	require.Equal(t, 1, outboxLength(t, c.outbox))
	return c
}

// atEachCut runs test with a connection that is cut before the server has the COMMIT, and with one that is cut before
// its answer has come back.
func atEachCut(t *testing.T, test func(t *testing.T, c cutStores, committed bool)) {
	t.Helper()
	onEachServer(t, func(t *testing.T, s server) {
		t.Helper()
		for name, committed := range map[string]bool{"before the server has it": false, "before the answer": true} {
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				test(t, openCutStores(t, s), committed)
			})
		}
	})
}

// TestAConnectionLostDuringCommit: the change is whole or absent, and the caller is told that we do not know. It is not
// tried again, because it may have happened.
func TestAConnectionLostDuringCommit(t *testing.T) {
	t.Parallel()
	for name, change := range map[string]func(ctx context.Context, c cutStores) error{
		"create": func(ctx context.Context, c cutStores) error {
			_, err := c.cut.Create(ctx, "two", cqrsfeedtest.Body{Text: "after"})
			return err
		},
		"update": func(ctx context.Context, c cutStores) error {
			_, err := c.cut.Update(ctx, "one", setText("after"))
			return err
		},
		"delete": func(ctx context.Context, c cutStores) error {
			_, err := c.cut.Delete(ctx, "one")
			return err
		},
		"a transaction of the application's own": func(ctx context.Context, c cutStores) error {
			return c.cutStore.InTx(ctx, func(tx *sql.Tx) error {
				if _, err := tx.ExecContext(ctx, "UPDATE item SET version = 7 WHERE id = 'one'"); err != nil {
					return err
				}
				return c.cutOutbox.Add(ctx, tx, "topic", message.NewMessage("1", nil))
			})
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			atEachCut(t, func(t *testing.T, c cutStores, committed bool) {
				t.Helper()
				before, err := c.direct.Scan(t.Context(), "", 10)
				require.NoError(t, err)
				c.proxy.cutAtCommit(committed)
				require.ErrorIs(t, change(t.Context(), c), cqrsfeed.ErrUnknownOutcome)
				select {
				case <-c.cutOutbox.Wake():
				default:
					assert.Fail(t, "there may be an event: the relay has to look")
				}

				after, err := c.direct.Scan(t.Context(), "", 10)
				require.NoError(t, err)
				if committed {
					assert.NotEqual(t, before, after)
					assert.Equal(t, 1, outboxLength(t, c.outbox))
				} else {
					assert.Equal(t, before, after)
					assert.Zero(t, outboxLength(t, c.outbox))
				}
				_, err = c.cut.Create(t.Context(), "later", cqrsfeedtest.Body{})
				require.NoError(t, err, "the pool has recovered")
			})
		})
	}
}

// TestConnectionsLostDuringSharedCommits: all who share a transaction are told that its outcome is not known, nobody
// tries again, and nobody else notices.
func TestConnectionsLostDuringSharedCommits(t *testing.T) {
	t.Parallel()
	const creators, each, cuts = 40, 20, 40
	onEachServer(t, func(t *testing.T, s server) {
		t.Helper()
		c := openCutStores(t, s)
		c.proxy.cutAtCommits(cuts, true)
		var mu sync.Mutex
		created, unknown := map[string]bool{}, map[string]bool{}
		var running sync.WaitGroup
		for creator := range creators {
			running.Go(func() {
				for n := range each {
					id := fmt.Sprintf("item-%02d-%d", creator, n)
					_, err := c.cut.Create(t.Context(), id, cqrsfeedtest.Body{})
					mu.Lock()
					if err == nil {
						created[id] = true
					} else if assert.ErrorIs(t, err, cqrsfeed.ErrUnknownOutcome) {
						unknown[id] = true
					}
					mu.Unlock()
				}
			})
		}
		running.Wait()
		assert.Greater(t, len(unknown), cuts+10, "those of whole groups")
		assert.Equal(t, creators*each, len(created)+len(unknown))

		answered := 0
		items, err := c.direct.Scan(t.Context(), "", creators*each+2)
		require.NoError(t, err)
		for _, item := range items {
			if unknown[item.ID] {
				answered++
			}
			delete(created, item.ID)
			delete(unknown, item.ID)
		}
		assert.Empty(t, created, "items that their creators were told of")
		assert.NotEmpty(t, unknown, "the server has not seen all the COMMITs that were cut")
		assert.Positive(t, answered, "it has seen some of them")
		assert.Equal(t, len(items)-1, outboxLength(t, c.outbox), "each has its event")
	})
}

// TestAConnectionLostWhileTheOutboxCommits: what was published may come again, what was refused is either parked or
// comes again, and nothing is lost.
func TestAConnectionLostWhileTheOutboxCommits(t *testing.T) {
	t.Parallel()
	atEachCut(t, func(t *testing.T, c cutStores, committed bool) {
		t.Helper()
		for range 2 {
			_, err := c.direct.Update(t.Context(), "one", setText("x"))
			require.NoError(t, err)
		}
		c.proxy.cutAtCommit(committed)
		taken, err := drainRefusingFirst(t, c.cutOutbox)
		require.ErrorIs(t, err, cqrsfeed.ErrUnknownOutcome)
		assert.Equal(t, 2, taken)
		parked, err := c.outbox.Parked(t.Context(), "", 10)
		require.NoError(t, err)
		if !committed {
			assert.Empty(t, parked)
			// Until the server notices that the connection is lost the rows are locked, and no relay sees them.
			for outboxLength(t, c.outbox) != 2 {
				require.NoError(t, t.Context().Err())
			}
			return
		}
		require.Len(t, parked, 1)
		assert.Zero(t, outboxLength(t, c.outbox))

		c.proxy.cutAtCommit(true)
		_, err = c.cutOutbox.Unpark(t.Context(), parked[0].ID)
		require.ErrorIs(t, err, cqrsfeed.ErrUnknownOutcome)
		returned, err := c.cutOutbox.Unpark(t.Context(), parked[0].ID)
		require.NoError(t, err, "it may be repeated")
		assert.Empty(t, returned)
		assert.Equal(t, 1, outboxLength(t, c.outbox))
	})
}
