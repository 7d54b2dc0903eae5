package natspubsub_test

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"github.com/ThreeDotsLabs/watermill"
	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/feedmill/feedmill/adapters/mysqlstore"
	"github.com/feedmill/feedmill/adapters/natspubsub"
	"github.com/feedmill/feedmill/cqrsfeed"
	"github.com/feedmill/feedmill/cqrsfeed/outbox"
	"github.com/feedmill/feedmill/integration/internal/servers"
)

// orderly notes what several instances process. An item must be processed version by version, by one at a time.
type orderly struct {
	mu   sync.Mutex
	busy map[string]bool
	done map[string]int64 // versions by item
}

// process reports whether the message was processed. Some are not at the first attempt.
func (o *orderly) process(t *testing.T, msg *message.Message) bool {
	t.Helper()
	item, err := cqrsfeed.DecodeItem[string](msg)
	if err != nil {
		t.Error(err)

		return true
	}
	o.mu.Lock()
	assert.False(t, o.busy[item.ID], "%s is processed twice at the same time", item.ID)
	o.busy[item.ID] = true
	o.mu.Unlock()
	<-time.After(time.Duration(rand.IntN(2)) * time.Millisecond) // the work
	o.mu.Lock()
	defer o.mu.Unlock()
	o.busy[item.ID] = false
	if rand.IntN(20) == 0 {
		return false
	}
	assert.LessOrEqual(t, item.Version, o.done[item.ID]+1, "%s: a version is left out", item.ID)
	o.done[item.ID] = max(o.done[item.ID], item.Version)

	return true
}

func (o *orderly) versions() (sum int64) {
	o.mu.Lock()
	defer o.mu.Unlock()
	for _, version := range o.done {
		sum += version
	}

	return sum
}

// refusing is a publisher that refuses some messages when it is first given them.
type refusing struct {
	message.Publisher

	refused *sync.Map // UUIDs
}

func (r refusing) Publish(topic string, messages ...*message.Message) error {
	for _, msg := range messages {
		if rand.IntN(20) > 0 {
			continue
		}
		if _, before := r.refused.LoadOrStore(msg.UUID, true); !before {
			return &cqrsfeed.RefusedError{Message: msg, Reason: errors.New("not now")}
		}
	}

	return r.Publisher.Publish(topic, messages...)
}

// orderInstance is an instance of an application that changes orders and processes the changes.
type orderInstance struct {
	orders *mysqlstore.Repository[string]
	outbox *mysqlstore.Outbox
	stop   func()
}

func startOrderInstance(t *testing.T, dsn, broker string, refused *sync.Map, seen *orderly) *orderInstance {
	t.Helper()
	db, err := sql.Open("mysql", dsn)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, db.Close()) })
	store, err := mysqlstore.New(db, mysqlstore.Config{Topics: cqrsfeed.PartitionsOf})
	require.NoError(t, err)
	orders, err := mysqlstore.NewRepository[string](store, "order")
	require.NoError(t, err)
	require.NoError(t, store.EnsureSchema(t.Context()))

	stream := ensure(t, connect(t, broker), natspubsub.StreamConfig{Name: "order", MaxMessages: 100})
	relay, err := outbox.NewRelay(outbox.RelayConfig{
		Outbox: store.Outbox(), Publisher: refusing{newPublisher(t, stream), refused}, PollInterval: 50 * time.Millisecond, BatchSize: 20,
	}, watermill.NopLogger{})
	require.NoError(t, err)
	durable := newDurable(t, stream, natspubsub.DurableConfig{Name: "mail", MaxInFlight: 1, MaxAckPending: 1, AckWait: 3 * time.Second})
	var running sync.WaitGroup
	for _, topic := range orders.Topics().All() {
		messages := subscribe(t, durable, topic)
		running.Go(func() {
			for msg := range messages {
				if seen.process(t, msg) {
					msg.Ack()
				} else {
					msg.Nack()
				}
			}
		})
	}
	ctx, cancel := context.WithCancel(t.Context())
	running.Go(func() { assert.NoError(t, relay.Run(ctx)) })

	return &orderInstance{orders, store.Outbox(), sync.OnceFunc(func() {
		cancel()
		require.NoError(t, durable.Close())
		running.Wait()
	})}
}

// TestOrderPerItem has several instances change and process many items, through one outbox and a broker that restarts. Some
// messages are refused, and parked until an operator returns them; some fail at first where they are processed; and one instance ends in between.
func TestOrderPerItem(t *testing.T) {
	t.Parallel()
	const items, versions = 30, 10
	b := startBroker(t)
	dsn := servers.MySQL(t)
	seen := &orderly{busy: map[string]bool{}, done: map[string]int64{}}
	var refused sync.Map
	var instances []*orderInstance
	for range 3 {
		instances = append(instances, startOrderInstance(t, dsn, b.running.ClientURL(), &refused, seen))
		defer instances[len(instances)-1].stop()
	}
	for version := range versions {
		var changing sync.WaitGroup
		for item := range items {
			orders, id := instances[1+item%2].orders, fmt.Sprint("order-", item)
			changing.Go(func() {
				var err error
				if version == 0 {
					_, err = orders.Create(t.Context(), id, "new")
				} else {
					_, err = orders.Update(t.Context(), id, func(body *string) error { *body += "."; return nil })
				}
				assert.NoError(t, err)
			})
		}
		changing.Wait()
		switch version {
		case versions / 3:
			instances[0].stop()
		case versions / 2:
			b.stop()
			b.start(t)
		}
	}
	for began := time.Now(); seen.versions() < items*versions; {
		require.Less(t, time.Since(began), 3*patience, "%d versions were processed", seen.versions())
		parked, err := instances[1].outbox.Parked(t.Context(), "", 100)
		require.NoError(t, err)
		for _, m := range parked {
			_, err := instances[2].outbox.Unpark(t.Context(), m.ID)
			require.NoError(t, err)
		}
		<-time.After(10 * time.Millisecond)
	}
	returned := 0
	refused.Range(func(any, any) bool { returned++; return true })
	assert.NotZero(t, returned, "nothing was refused")
}
