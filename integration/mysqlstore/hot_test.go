package mysqlstore_test

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/go-sql-driver/mysql"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/feedmill/feedmill/cqrsfeed"
	"github.com/feedmill/feedmill/cqrsfeed/cqrsfeedtest"
	"github.com/feedmill/feedmill/cqrsfeed/outbox"
)

// TestManyWritersOnHotItems has 32 writers change 8 items, each writer in an order of its own, while three relays
// publish. Every change is a version of its own, without a gap, and every version has exactly one event, whose
// original is the version before.
func TestManyWritersOnHotItems(t *testing.T) {
	t.Parallel()
	const writers, hot, rounds = 32, 8, 4
	onEachServer(t, func(t *testing.T, s server) {
		t.Helper()
		for name, change := range settings(s.isolation) {
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				dsn := withSettings(t, s.fresh(t), change)
				db := openDB(t, dsn)
				db.SetMaxOpenConns(writers)
				repository, queue := openRepository(t, db)
				for i := range hot {
					_, err := repository.Create(t.Context(), fmt.Sprintf("hot-%d", i), cqrsfeedtest.Body{})
					require.NoError(t, err)
				}
				published := &events{}
				stop := runRelays(t, published, queue, queue, openOutbox(t, openDB(t, dsn)))
				var running sync.WaitGroup
				for writer := range writers {
					running.Go(func() {
						for i := range rounds * hot {
							id := fmt.Sprintf("hot-%d", (i*(2*writer+1)+writer)%hot) // odd steps reach every item
							_, err := repository.Update(t.Context(), id, func(body *cqrsfeedtest.Body) error {
								body.Tags = append(body.Tags, fmt.Sprintf("%d/%d", writer, i))
								return nil
							})
							assert.NoError(t, err)
						}
					})
				}
				running.Wait()
				const last = 1 + writers*rounds
				published.await(t, hot*last)
				stop()
				requireChains(t, repository, published.all(), hot, last)
				requireEmpty(t, db)
			})
		}
	})
}

// requireChains checks each item's events from version 1 to the last one.
func requireChains(t *testing.T, repository cqrsfeed.Repository[cqrsfeedtest.Body], all []*message.Message, hot int, last int64) {
	t.Helper()
	type key struct {
		id      string
		version int64
	}
	updated := map[key]cqrsfeed.ItemUpdated[cqrsfeedtest.Body]{}
	for _, msg := range all {
		var event cqrsfeed.ItemUpdated[cqrsfeedtest.Body]
		require.NoError(t, json.Unmarshal(msg.Payload, &event))
		at := key{event.Item.ID, event.Item.Version}
		require.NotContains(t, updated, at, "a version has two events")
		updated[at] = event
	}
	require.Len(t, updated, hot*int(last))
	for i := range hot {
		id := fmt.Sprintf("hot-%d", i)
		for version := int64(2); version <= last; version++ {
			require.Contains(t, updated, key{id, version}, "a version has no event")
			event := updated[key{id, version}]
			require.Equal(t, updated[key{id, version - 1}].Item, *event.Original)
			require.Len(t, event.Item.Body.Tags, int(version)-1)
		}
		item, err := repository.Get(t.Context(), id)
		require.NoError(t, err)
		require.Equal(t, last, item.Version)
		require.Equal(t, updated[key{id, last}].Item, item)
	}
}

func requireEmpty(t *testing.T, db *sql.DB) {
	t.Helper()
	for _, table := range []string{"outbox", "outbox_parked"} {
		var count int
		require.NoError(t, db.QueryRowContext(t.Context(), "SELECT COUNT(*) FROM "+table).Scan(&count))
		require.Zero(t, count, table)
	}
}

// events is a broker that keeps what it is given.
type events struct {
	mu       sync.Mutex
	messages []*message.Message
	arrived  chan struct{}
}

func (e *events) Publish(_ string, messages ...*message.Message) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.messages = append(e.messages, messages...)
	if e.arrived != nil {
		close(e.arrived)
		e.arrived = nil
	}
	return nil
}

func (*events) Close() error { return nil }

func (e *events) all() []*message.Message {
	e.mu.Lock()
	defer e.mu.Unlock()
	return append([]*message.Message(nil), e.messages...)
}

// await waits for so many messages.
func (e *events) await(t *testing.T, count int) {
	t.Helper()
	deadline := time.After(time.Minute)
	for {
		e.mu.Lock()
		arrived, enough := make(chan struct{}), len(e.messages) >= count
		e.arrived = arrived
		e.mu.Unlock()
		if enough {
			return
		}
		select {
		case <-arrived:
		case <-deadline:
			require.FailNow(t, "some messages did not come")
		}
	}
}

// runRelays runs a relay on each outbox until stop is called.
func runRelays(t *testing.T, publisher message.Publisher, outboxes ...outbox.Outbox) (stop func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	var running sync.WaitGroup
	for _, queue := range outboxes {
		relay, err := outbox.NewRelay(outbox.RelayConfig{Outbox: queue, Publisher: publisher, BatchSize: 20}, nil)
		require.NoError(t, err)
		running.Go(func() { assert.NoError(t, relay.Run(ctx)) })
	}
	return func() {
		cancel()
		running.Wait()
	}
}

// TestStaleConnectionsAreReplaced: the server closed every idle connection, as it does when it restarts.
func TestStaleConnectionsAreReplaced(t *testing.T) {
	t.Parallel()
	onEachServer(t, func(t *testing.T, s server) {
		t.Helper()
		const idle = 20 // more than there are tries
		dsn := s.fresh(t)
		db := openDB(t, dsn)
		db.SetMaxOpenConns(idle)
		db.SetMaxIdleConns(idle)
		repository, queue := openRepository(t, db)
		var conns []*sql.Conn
		var numbers []int64
		for range idle {
			conn, err := db.Conn(t.Context())
			require.NoError(t, err)
			var number int64
			require.NoError(t, conn.QueryRowContext(t.Context(), "SELECT CONNECTION_ID()").Scan(&number))
			conns, numbers = append(conns, conn), append(numbers, number)
		}
		for _, conn := range conns {
			require.NoError(t, conn.Close())
		}
		admin := openDB(t, withSettings(t, dsn, func(c *mysql.Config) { c.DBName = "" }))
		for _, number := range numbers {
			_, err := admin.ExecContext(t.Context(), fmt.Sprintf("KILL %d", number))
			require.NoError(t, err)
		}
		_, err := repository.Create(t.Context(), "one", cqrsfeedtest.Body{})
		require.NoError(t, err)
		assert.Equal(t, 1, outboxLength(t, queue))
	})
}
