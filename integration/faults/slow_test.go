package faults_test

import (
	"context"
	"database/sql"
	"fmt"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"github.com/ThreeDotsLabs/watermill"
	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/feedmill/feedmill/adapters/mysqlstore"
	"github.com/feedmill/feedmill/cqrsfeed/outbox"
	"github.com/feedmill/feedmill/cqrsfeed/projector"
	"github.com/feedmill/feedmill/integration/internal/servers"
)

// slowProjection hangs for as long as it may while it is slow.
type slowProjection struct {
	projector.NoSweep

	slow atomic.Bool
}

func (p *slowProjection) Apply(ctx context.Context, _ []*message.Message) ([]*message.Message, error) {
	if p.slow.Load() {
		<-ctx.Done()
	}
	return nil, ctx.Err()
}

// nowhere is a publisher that drops what it is given.
type nowhere struct{}

func (nowhere) Publish(string, ...*message.Message) error { return nil }
func (nowhere) Close() error                              { return nil }

// TestWritersBesideASlowProjection has a relay publish straight into a projector. MySQL locks the outbox's rows while they
// are applied. Writers must not wait for them.
func TestWritersBesideASlowProjection(t *testing.T) {
	t.Parallel()
	const applyTimeout = 2 * time.Second
	db, err := sql.Open("mysql", servers.MySQL(t))
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, db.Close()) })
	store, err := mysqlstore.New(db, mysqlstore.Config{})
	require.NoError(t, err)
	notes, err := mysqlstore.NewRepository[string](store, "note")
	require.NoError(t, err)
	require.NoError(t, store.EnsureSchema(t.Context()))

	projection := &slowProjection{}
	proj, err := projector.New(projector.Config{
		Projection: projection, Publisher: nowhere{}, UpdatesTopic: "updates", ApplyTimeout: applyTimeout,
	}, watermill.NopLogger{})
	require.NoError(t, err)
	relay, err := outbox.NewRelay(outbox.RelayConfig{Outbox: store.Outbox(), Publisher: proj}, watermill.NopLogger{})
	require.NoError(t, err)
	ctx, stop := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- relay.Run(ctx) }()
	t.Cleanup(func() {
		stop()
		assert.NoError(t, <-done)
	})

	// write creates, changes and deletes items for a while and returns how long each change took, in order.
	write := func(prefix string) (took []time.Duration) {
		measure := func(change func() error) {
			began := time.Now()
			require.NoError(t, change())
			took = append(took, time.Since(began))
		}
		for began := time.Now(); time.Since(began) < applyTimeout+time.Second; {
			id := fmt.Sprint(prefix, len(took))
			measure(func() error {
				_, err := notes.Create(t.Context(), id, "hello")
				return err
			})
			measure(func() error {
				_, err := notes.Update(t.Context(), id, func(body *string) error {
					*body = "world"
					return nil
				})
				return err
			})
			measure(func() error {
				_, err := notes.Delete(t.Context(), id)
				return err
			})
		}
		slices.Sort(took)
		return took
	}
	for _, slow := range []bool{false, true} {
		projection.slow.Store(slow)
		took := write(fmt.Sprintf("slow-%t-", slow))
		n := len(took)
		t.Logf("RESULT slow projection %t: %d changes, median %s, 99%% %s, slowest %s", slow, n, took[n/2], took[n*99/100], took[n-1])
		assert.Less(t, took[n-1], applyTimeout*3/4, "a writer waited")
	}
	projection.slow.Store(false)
	require.Eventually(t, func() bool {
		backlog, err := store.Outbox().Backlog(t.Context())
		return assert.NoError(t, err) && backlog.Waiting == 0 && assert.Zero(t, backlog.Parked)
	}, patience, 10*time.Millisecond)
}
