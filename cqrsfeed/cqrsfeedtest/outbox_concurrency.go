package cqrsfeedtest

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/feedmill/feedmill/cqrsfeed/outbox"
)

// testOutboxDrains drains with several relays of two processes while writers add messages. Each message is kept once.
func testOutboxDrains(t *testing.T, f OutboxFixture) {
	const writers, each = 4, 40
	ctx, cancel := context.WithTimeout(t.Context(), 6*patience)
	defer cancel()
	var mu sync.Mutex
	seen, acknowledged := map[string]bool{}, map[string]int{}
	publish := func(_ context.Context, batch []outbox.Message) []outbox.Result {
		mu.Lock()
		defer mu.Unlock()
		results := make([]outbox.Result, len(batch))
		for i, m := range batch {
			if seen[m.Message.UUID] {
				acknowledged[m.Message.UUID]++
				results[i] = published()
			}
			seen[m.Message.UUID] = true
		}
		return results
	}
	done := func() bool {
		mu.Lock()
		defer mu.Unlock()
		return len(acknowledged) == writers*each
	}
	var running sync.WaitGroup
	for writer := range writers {
		running.Go(func() {
			for i := range each {
				assert.NoError(t, f.tryAdd(ctx, "x", fmt.Sprintf("%d/%d", writer, i)))
			}
		})
	}
	for _, queue := range []outbox.Outbox{f.Outbox, f.Outbox, f.Other, f.Other} {
		running.Go(func() {
			for !done() && assert.NoError(t, ctx.Err()) {
				_, err := queue.Drain(ctx, 7, nil, publish)
				assert.NoError(t, err)
			}
		})
	}
	running.Wait()
	assert.Len(t, acknowledged, writers*each)
	if f.LocksMessages {
		for uuid, times := range acknowledged {
			assert.Equal(t, 1, times, "message %s", uuid)
		}
	}
	assert.Empty(t, drainAll(t, f.Outbox), "published messages are still there")
}

// testOutboxDisjoint begins a Drain while another one is publishing. It takes the rest: at once if
// messages are locked, and otherwise when the first one is done. It also deletes most of a short table, which
// databases tend to do by a scan of the whole table, including the rows that the first one has locked.
func testOutboxDisjoint(t *testing.T, f OutboxFixture) {
	longEnough := 100 * time.Millisecond
	if f.LocksMessages {
		longEnough = patience
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
		assert.Equal(t, []string{"1"}, uuidsOf(batch))
		go func() {
			defer close(done)
			rest, failure = tryDrain(ctx, second, 10, published())
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
	assert.Equal(t, others, uuidsOf(rest))
	assert.Empty(t, drain(t, f.Outbox, 10))
}

// testOutboxWriters commits while a Drain is publishing all messages.
func testOutboxWriters(t *testing.T, f OutboxFixture) {
	f.add(t, "x", "1", "2")
	taken, err := f.Outbox.Drain(t.Context(), 10, nil, func(ctx context.Context, batch []outbox.Message) []outbox.Result {
		assert.Equal(t, []string{"1", "2"}, uuidsOf(batch))
		require.NoError(t, f.tryAdd(ctx, "x", "3"))
		return acknowledge(ctx, batch)
	})
	require.NoError(t, err)
	assert.Equal(t, 2, taken)
	assert.Equal(t, []string{"3"}, uuidsOf(drain(t, f.Outbox, 10)))
}

// testOutboxLateDeletion empties the outbox and adds messages while a Drain is publishing. Its deletion must not delete
// the new messages.
func testOutboxLateDeletion(t *testing.T, f OutboxFixture) {
	f.add(t, "x", "1", "2")
	taken, err := f.Outbox.Drain(t.Context(), 10, nil, func(ctx context.Context, batch []outbox.Message) []outbox.Result {
		_, err := tryDrain(ctx, f.Other, 10, published())
		assert.NoError(t, err)
		assert.NoError(t, f.tryAdd(ctx, "x", "3", "4"))
		return acknowledge(ctx, batch)
	})
	require.NoError(t, err)
	assert.Equal(t, 2, taken)
	assert.Equal(t, []string{"3", "4"}, uuidsOf(drain(t, f.Outbox, 10)))
}

func testOutboxRollback(t *testing.T, f OutboxFixture) {
	undo := errors.New("changed my mind")
	err := f.Transaction(t.Context(), func(publisher message.Publisher) error {
		return errors.Join(publisher.Publish("x", newMessages(t.Context(), "1", "2")...), undo)
	})
	require.ErrorIs(t, err, undo)
	requireAsleep(t, f.Outbox)
	assert.Empty(t, drain(t, f.Outbox, 10))
	f.add(t, "x", "3")
	assert.Equal(t, []string{"3"}, uuidsOf(drain(t, f.Outbox, 10)))
}

// testOutboxUncommitted looks through Other, which has a connection of its own whatever Outbox does.
func testOutboxUncommitted(t *testing.T, f OutboxFixture) {
	f.add(t, "x", "1")
	requireAwake(t, f.Outbox)
	require.NoError(t, f.Transaction(t.Context(), func(publisher message.Publisher) error {
		if err := publisher.Publish("x", newMessages(t.Context(), "2")...); err != nil {
			return err
		}
		requireAsleep(t, f.Outbox)
		assert.Equal(t, []string{"1"}, uuidsOf(peek(t, f.Other, 10)))
		return publisher.Close()
	}))
	assert.Equal(t, []string{"1", "2"}, uuidsOf(drain(t, f.Outbox, 10)))
}

func testOutboxWake(t *testing.T, f OutboxFixture) {
	requireAsleep(t, f.Outbox)
	f.add(t, "x", "1")
	requireAwake(t, f.Outbox)
	requireAsleep(t, f.Outbox)
	for range 10 { // nobody receives, and nobody is held up
		f.add(t, "x", "2")
	}
	requireAwake(t, f.Outbox)
	drainAll(t, f.Outbox)
	f.add(t, "x", "3")
	requireAwake(t, f.Outbox)
}
