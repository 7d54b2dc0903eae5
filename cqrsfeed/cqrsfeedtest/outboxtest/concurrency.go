package outboxtest

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/feedmill/feedmill/cqrsfeed/cqrsfeedtest/internal/outboxes"
	"github.com/feedmill/feedmill/cqrsfeed/outbox"
)

// testDrains drains while writers add messages.
func testDrains(t *testing.T, f Fixture) {
	const writers, each = 4, 40
	var running sync.WaitGroup
	for writer := range writers {
		running.Go(func() {
			for i := range each {
				assert.NoError(t, f.tryAdd(t.Context(), "x", fmt.Sprintf("%d/%d", writer, i)))
			}
		})
	}
	f.takeAll(t, writers*each, outboxes.Kept(), func(context.Context, outbox.Outbox) error { return nil })
	running.Wait()
}

// testParkingRace parks each message once while operators return the parked messages.
func testParkingRace(t *testing.T, f Fixture) {
	const messages = 60
	for i := range messages {
		f.add(t, "x", strconv.Itoa(i))
	}
	f.takeAll(t, messages, outboxes.Refused("not the first time", 1), func(ctx context.Context, queue outbox.Outbox) error {
		found, listErr := queue.Parked(ctx, "", 10)
		_, unparkErr := queue.Unpark(ctx, idsOf(found)...)
		return errors.Join(listErr, unparkErr)
	})
	assert.Empty(t, outboxes.Parked(t, f.Outbox))
}

// takeAll drains n messages by several relays of two processes. The result of a message is first when it is taken for the first
// time, and Published later. takeAll calls between after each Drain.
func (f Fixture) takeAll(t *testing.T, n int, first outbox.Result, between func(context.Context, outbox.Outbox) error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 6*outboxes.Patience)
	defer cancel()
	var mu sync.Mutex
	seen, acknowledged := map[string]bool{}, map[string]int{}
	publish := func(_ context.Context, batch []outbox.Message) []outbox.Result {
		mu.Lock()
		defer mu.Unlock()
		results := slices.Repeat([]outbox.Result{first}, len(batch))
		for i, m := range batch {
			if seen[m.Message.UUID] {
				acknowledged[m.Message.UUID]++
				results[i] = outboxes.Published()
			}
			seen[m.Message.UUID] = true
		}
		return results
	}
	done := func() bool {
		mu.Lock()
		defer mu.Unlock()
		return len(acknowledged) == n
	}
	var relays sync.WaitGroup
	for _, queue := range []outbox.Outbox{f.Outbox, f.Outbox, f.Other, f.Other} {
		relays.Go(func() {
			for !done() && assert.NoError(t, ctx.Err()) {
				_, err := queue.Drain(ctx, 7, nil, publish)
				assert.NoError(t, errors.Join(err, between(ctx, queue)))
			}
		})
	}
	relays.Wait()
	assert.Len(t, acknowledged, n)
	if f.LocksMessages {
		for uuid, times := range acknowledged {
			assert.Equal(t, 1, times, "message %s", uuid)
		}
	}
	assert.Empty(t, outboxes.DrainAll(t, f.Outbox), "published messages are still there")
}

// testDisjoint begins a Drain while another one is publishing. The second must take the rest: at once if messages are locked,
// and otherwise when the first is done. It deletes most of a short table. Databases tend to scan the whole table for that,
// including the rows that the first Drain has locked.
func testDisjoint(t *testing.T, f Fixture) {
	longEnough := 100 * time.Millisecond
	if f.LocksMessages {
		longEnough = outboxes.Patience
	}
	others := []string{"2", "3", "4", "5", "6", "7", "8", "9"}
	f.add(t, "x", append([]string{"1"}, others...)...)
	second := f.Other
	if !f.LocksMessages {
		second = f.Outbox
	}
	var rest []outbox.Message
	var failure error
	done := make(chan struct{})
	taken, err := f.Outbox.Drain(t.Context(), 1, nil, func(ctx context.Context, batch []outbox.Message) []outbox.Result {
		assert.Equal(t, []string{"1"}, outboxes.UUIDs(batch))
		go func() {
			defer close(done)
			rest, failure = outboxes.TryDrain(ctx, second, 10, outboxes.Published())
		}()
		select {
		case <-done:
			assert.True(t, f.LocksMessages, "the second Drain did not wait for its turn")
		case <-time.After(longEnough):
			assert.False(t, f.LocksMessages, "the second Drain was kept waiting")
		}
		return acknowledge(ctx, batch)
	})
	<-done
	require.NoError(t, errors.Join(err, failure))
	assert.Equal(t, 1, taken)
	assert.Equal(t, others, outboxes.UUIDs(rest))
	assert.Empty(t, outboxes.Drain(t, f.Outbox, 10))
}

// testWriters commits while a Drain is publishing all messages.
func testWriters(t *testing.T, f Fixture) {
	f.add(t, "x", "1", "2")
	taken := outboxes.DrainTo(t, f.Outbox, 10, nil, func(ctx context.Context, batch []outbox.Message) []outbox.Result {
		assert.Equal(t, []string{"1", "2"}, outboxes.UUIDs(batch))
		require.NoError(t, f.tryAdd(ctx, "x", "3"))
		return acknowledge(ctx, batch)
	})
	assert.Equal(t, 2, taken)
	assert.Equal(t, []string{"3"}, outboxes.UUIDs(outboxes.Drain(t, f.Outbox, 10)))
}

// testLateDeletion empties the outbox and adds messages while a Drain is publishing. Its deletion must not delete
// the new messages.
func testLateDeletion(t *testing.T, f Fixture) {
	f.add(t, "x", "1", "2")
	taken := outboxes.DrainTo(t, f.Outbox, 10, nil, func(ctx context.Context, batch []outbox.Message) []outbox.Result {
		_, err := outboxes.TryDrain(ctx, f.Other, 10, outboxes.Published())
		assert.NoError(t, err)
		assert.NoError(t, f.tryAdd(ctx, "x", "3", "4"))
		return acknowledge(ctx, batch)
	})
	assert.Equal(t, 2, taken)
	assert.Equal(t, []string{"3", "4"}, outboxes.UUIDs(outboxes.Drain(t, f.Outbox, 10)))
}

func testRollback(t *testing.T, f Fixture) {
	undo := errors.New("changed my mind")
	err := f.Transaction(t.Context(), func(publisher message.Publisher) error {
		return errors.Join(publisher.Publish("x", newMessages(t.Context(), "1", "2")...), undo)
	})
	require.ErrorIs(t, err, undo)
	outboxes.RequireAsleep(t, f.Outbox)
	assert.Empty(t, outboxes.Drain(t, f.Outbox, 10))
	f.add(t, "x", "3")
	assert.Equal(t, []string{"3"}, outboxes.UUIDs(outboxes.Drain(t, f.Outbox, 10)))
}

// testUncommitted reads through Other, which has its own connection.
func testUncommitted(t *testing.T, f Fixture) {
	f.add(t, "x", "1")
	outboxes.RequireAwake(t, f.Outbox)
	require.NoError(t, f.Transaction(t.Context(), func(publisher message.Publisher) error {
		if err := publisher.Publish("x", newMessages(t.Context(), "2")...); err != nil {
			return err
		}
		outboxes.RequireAsleep(t, f.Outbox)
		assert.Equal(t, []string{"1"}, outboxes.UUIDs(outboxes.Peek(t, f.Other, 10)))
		return publisher.Close()
	}))
	assert.Equal(t, []string{"1", "2"}, outboxes.UUIDs(outboxes.Drain(t, f.Outbox, 10)))
}

func testWake(t *testing.T, f Fixture) {
	outboxes.RequireAsleep(t, f.Outbox)
	f.add(t, "x", "1")
	outboxes.RequireAwake(t, f.Outbox)
	outboxes.RequireAsleep(t, f.Outbox)
	for range 10 { // nobody receives, and nobody is held up
		f.add(t, "x", "2")
	}
	outboxes.RequireAwake(t, f.Outbox)
	outboxes.DrainAll(t, f.Outbox)
	f.add(t, "x", "3")
	outboxes.RequireAwake(t, f.Outbox)
}
