package outbox_test

import (
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/stretchr/testify/assert"

	"github.com/feedmill/feedmill/cqrsfeed/outbox"
)

// TestRelayIsCarefulAfterAFailure: it publishes one batch message by message, and then whole batches again.
func TestRelayIsCarefulAfterAFailure(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		queue := newMemoryOutbox(numbered("a", 30)...)
		var sizes []int
		publisher := publisherFunc(func(_ string, messages ...*message.Message) error {
			sizes = append(sizes, len(messages))
			if len(sizes) == 1 {
				return errDown
			}
			return nil
		})
		stop := runRelay(t, outbox.RelayConfig{Outbox: queue, Publisher: publisher, BatchSize: 10})
		time.Sleep(time.Second) //nolint:forbidigo // virtual time
		stop()
		assert.Equal(t, []int{10, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 10, 10}, sizes)
	})
}

// TestRelayCountsAttemptsAnewAfterASuccess: failures that pass never add up to a refusal.
func TestRelayCountsAttemptsAnewAfterASuccess(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		queue := newMemoryOutbox(numbered("a", 20)...)
		var calls, took atomic.Int64
		start := time.Now()
		publisher := &picky{tell: unmarked, rule: func(string, *message.Message) error {
			if calls.Add(1)%5 != 0 { // each message fails alone four times
				return errDown
			}
			took.Store(int64(time.Since(start)))
			return nil
		}}
		stop := runRelay(t, outbox.RelayConfig{Outbox: queue, Publisher: publisher, MaxAttempts: 5})
		time.Sleep(10 * time.Minute) //nolint:forbidigo // virtual time
		stop()
		assert.Empty(t, queue.queue)
		assert.Empty(t, queue.parked)
		var want []string
		for _, m := range numbered("a", 20) {
			want = append(want, m.Message.UUID)
		}
		assert.Equal(t, want, publisher.took(), "nothing was overtaken")
		assert.Less(t, time.Duration(took.Load()), 30*time.Second, "after a success waits are short again: 0.75 seconds for each message")
	})
}
