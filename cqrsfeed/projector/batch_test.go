package projector_test

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/feedmill/feedmill/cqrsfeed/limits"
	"github.com/feedmill/feedmill/cqrsfeed/projector"
)

// appliedBatch is a batch that a projection was given.
type appliedBatch struct {
	size int
	at   time.Time
}

// slowProjection takes the same time for every batch.
type slowProjection struct {
	projector.NoSweep

	takes time.Duration

	mu      sync.Mutex
	batches []appliedBatch
	now     atomic.Int32
	most    int32
}

func (p *slowProjection) Apply(_ context.Context, batch []*message.Message) ([]*message.Message, error) {
	now := p.now.Add(1)
	p.mu.Lock()
	p.batches = append(p.batches, appliedBatch{len(batch), time.Now()})
	p.most = max(p.most, now)
	p.mu.Unlock()
	<-time.After(p.takes)
	p.now.Add(-1)
	return nil, nil
}

// pass lets virtual time pass.
func pass(d time.Duration) { <-time.After(d) }

func TestALoneMessageIsAppliedAtOnce(t *testing.T) {
	t.Parallel()
	projection := &slowProjection{}
	withBroker(t, projector.Config{Projection: projection, BatchWait: time.Hour}, nil, func(subscriber *handSubscriber) {
		for range 3 {
			sent := time.Now()
			requireAcked(t, subscriber.send("in", "1")...)
			assert.Equal(t, time.Duration(0), time.Since(sent))
			pass(time.Millisecond)
		}
	})
	assert.Len(t, projection.batches, 3)
}

func TestNoBatchWaitAfterAPause(t *testing.T) {
	t.Parallel()
	projection := &slowProjection{takes: time.Millisecond}
	config := projector.Config{Projection: projection, BatchWait: 10 * time.Millisecond}
	withBroker(t, config, nil, func(subscriber *handSubscriber) {
		requireAcked(t, append(together(subscriber, "1"), together(subscriber, "2", "3", "4")...)...)
		require.Equal(t, 3, projection.batches[1].size)
		pass(time.Minute)
		sent := time.Now()
		requireAcked(t, subscriber.send("in", "5")...)
		assert.Equal(t, projection.takes, time.Since(sent), "it waits as if the load went on")
	})
}

func TestBatchesAreFullUnderLoad(t *testing.T) {
	t.Parallel()
	projection := &slowProjection{takes: time.Millisecond}
	config := projector.Config{Projection: projection, BatchSize: 20, BatchWait: 2 * time.Millisecond}
	withBroker(t, config, nil, func(subscriber *handSubscriber) {
		var sent []*message.Message
		for i := range 500 { // ten arrive while a batch is applied: half of BatchSize
			sent = append(sent, subscriber.send("in", fmt.Sprint(i))...)
			pass(100 * time.Microsecond)
		}
		requireAcked(t, sent...)
	})
	assert.Equal(t, 1, projection.batches[0].size, "the first one does not wait")
	full := 0
	for _, batch := range projection.batches {
		if batch.size == 20 {
			full++
		}
	}
	assert.GreaterOrEqual(t, full, len(projection.batches)-3, "all but the first two and the last are full: %v", projection.batches)
}

func TestBatchesAreBoundedInBytes(t *testing.T) {
	t.Parallel()
	projection := &slowProjection{takes: time.Second}
	quarter := strings.Repeat("x", limits.MaxBatchBytes/4)
	withBroker(t, projector.Config{Projection: projection, BatchSize: 20}, nil, func(subscriber *handSubscriber) {
		sent := together(subscriber, quarter)
		for range 12 {
			sent = append(sent, together(subscriber, quarter)...) // while the first one is applied
		}
		requireAcked(t, sent...)
	})
	var sizes []int
	for _, batch := range projection.batches {
		sizes = append(sizes, batch.size)
	}
	assert.Equal(t, []int{1, 4, 4, 4}, sizes)
}

// oneByOne is a subscriber whose subscriptions deliver the next message after the last one is acknowledged.
type oneByOne struct{ *handSubscriber }

func (s oneByOne) Subscribe(ctx context.Context, topic string) (<-chan *message.Message, error) {
	in, out := s.topics[topic], make(chan *message.Message)
	go func() {
		defer close(out)
		for {
			select {
			case msg := <-in:
				out <- msg
				<-msg.Acked()
			case <-ctx.Done():
				return
			}
		}
	}()
	return out, nil
}

func TestSubscriptionsOfOneMessageAtATimeFormBatches(t *testing.T) {
	t.Parallel()
	for _, subscriptions := range []int{1, 10} {
		synctest.Test(t, func(t *testing.T) {
			subscriber, projection := oneByOne{newHandSubscriber("in")}, &slowProjection{takes: time.Second}
			stop, wait := runProjector(t, projector.Config{
				Subscriber: subscriber, Topics: []string{"in"}, Subscriptions: subscriptions,
				Projection: projection, Publisher: &recorder{},
			})
			synctest.Wait()
			var sent []*message.Message
			for i := range 100 {
				sent = append(sent, subscriber.send("in", fmt.Sprint(i))...)
			}
			requireAcked(t, sent...)
			stop()
			require.NoError(t, wait())
			most := slices.MaxFunc(projection.batches, func(a, b appliedBatch) int { return cmp.Compare(a.size, b.size) })
			assert.Equal(t, subscriptions, most.size)
		})
	}
}

// TestSubscriptionsOfOneMessageAtATimeGoOn beside a message that fails, which is set aside.
func TestSubscriptionsOfOneMessageAtATimeGoOn(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		subscriber, publisher := oneByOne{newHandSubscriber("in")}, &messageRecorder{}
		runProjector(t, projector.Config{
			Subscriber: subscriber, Topics: []string{"in"}, Subscriptions: 2, MaxAttempts: 5,
			Projection: &faultyModel{fault: failsFor(errConstraint, "bad")}, Publisher: publisher,
		})
		bad := together(subscriber.handSubscriber, "bad")
		others(t, subscriber.handSubscriber, 20)
		requireAcked(t, bad...)
		require.Equal(t, []string{"bad"}, poisonUUIDs(publisher))
	})
}

func TestEachWorkerAppliesABatch(t *testing.T) {
	t.Parallel()
	projection := &slowProjection{takes: time.Second}
	withBroker(t, projector.Config{Projection: projection, Workers: 3, BatchSize: 2}, nil, func(subscriber *handSubscriber) {
		requireAcked(t, subscriber.send("in", "1", "2", "3", "4", "5", "6", "7", "8", "9", "10")...)
	})
	assert.Equal(t, int32(3), projection.most)
}
