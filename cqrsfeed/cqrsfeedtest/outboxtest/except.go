package outboxtest

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/feedmill/feedmill/cqrsfeed/cqrsfeedtest/internal/outboxes"
	"github.com/feedmill/feedmill/cqrsfeed/outbox"
)

// tryDrainExcept is tryDrain for all topics but those in except; it acknowledges all messages.
func tryDrainExcept(ctx context.Context, queue outbox.Outbox, limit int, except ...string) ([]outbox.Message, error) {
	ctx, cancel := context.WithTimeout(ctx, outboxes.Patience)
	defer cancel()
	var messages []outbox.Message
	taken, err := queue.Drain(ctx, limit, except, func(ctx context.Context, batch []outbox.Message) []outbox.Result {
		messages = append(messages, batch...)
		return acknowledge(ctx, batch)
	})
	if err == nil && taken != len(messages) {
		err = fmt.Errorf("drain returned %d, publish was given %d messages", taken, len(messages))
	}
	return messages, err
}

func drainExcept(t *testing.T, queue outbox.Outbox, limit int, except ...string) []string {
	t.Helper()
	messages, err := tryDrainExcept(t.Context(), queue, limit, except...)
	require.NoError(t, err)
	return outboxes.UUIDs(messages)
}

func testExcept(t *testing.T, f Fixture) {
	f.add(t, "x", "1")
	f.add(t, "x ", "2") // no database may take it for "x"
	f.add(t, "X", "3")
	f.add(t, "y", "4")
	f.add(t, "é%_", "5")
	f.add(t, "x", "6")
	assert.Equal(t, []string{"3", "5"}, drainExcept(t, f.Outbox, 10, "x", "x ", "y"))
	assert.Equal(t, []string{"2"}, drainExcept(t, f.Outbox, 10, "y", "x", "unknown", "'; --"))
	assert.Empty(t, drainExcept(t, f.Outbox, 10, "x", "y"))
	assert.Equal(t, []string{"1", "6"}, drainExcept(t, f.Outbox, 10, "y"))
	assert.Equal(t, []string{"4"}, outboxes.UUIDs(outboxes.DrainAll(t, f.Outbox)))
}

func testExceptLimit(t *testing.T, f Fixture) {
	f.add(t, "blocked", "0")
	for i := range 4 { // c, a, b; c, a, b; …
		for _, topic := range []string{"c", "a", "b"} {
			f.add(t, topic, fmt.Sprintf("%s%d", topic, i))
		}
	}
	assert.Equal(t, []string{"c0", "a0", "b0", "c1", "a1"}, drainExcept(t, f.Outbox, 5, "blocked"))
	assert.Equal(t, []string{"a2"}, drainExcept(t, f.Outbox, 1, "blocked", "b", "c"))
	assert.Equal(t, []string{"b1", "c2", "b2", "c3", "a3", "b3"}, drainExcept(t, f.Outbox, 10, "blocked"))
	_, err := f.Outbox.Drain(t.Context(), 0, []string{"blocked"}, nil)
	require.Error(t, err)
}

// testExceptDisjoint drains all but one topic while another Drain has the first messages of the rest.
func testExceptDisjoint(t *testing.T, f Fixture) {
	if !f.LocksMessages {
		return // a Drain waits for the other: see testDisjoint
	}
	f.add(t, "x", "1", "2", "3", "4")
	f.add(t, "blocked", "5")
	f.add(t, "y", "6")
	for _, except := range [][]string{nil, {"blocked"}} {
		taken := outboxes.DrainTo(t, f.Outbox, 2, except, func(ctx context.Context, batch []outbox.Message) []outbox.Result {
			assert.Equal(t, []string{"1", "2"}, outboxes.UUIDs(batch))
			taken, err := f.Other.Drain(ctx, 2, []string{"blocked"}, func(_ context.Context, batch []outbox.Message) []outbox.Result {
				assert.Equal(t, []string{"3", "4"}, outboxes.UUIDs(batch), "it goes on behind locked messages")
				return []outbox.Result{outboxes.Kept(), outboxes.Kept()}
			})
			require.NoError(t, err)
			assert.Equal(t, 2, taken)
			return []outbox.Result{outboxes.Kept(), outboxes.Kept()}
		})
		assert.Equal(t, 2, taken)
	}
}

// testExceptDeletion ends a Drain while another one, with a topic left out, is publishing and has seen its messages.
func testExceptDeletion(t *testing.T, f Fixture) {
	if !f.LocksMessages {
		return // see testExceptDisjoint
	}
	f.add(t, "x", "1", "2")
	f.add(t, "y", "3")
	selected, goOn, finished := make(chan struct{}), make(chan struct{}), make(chan error, 1)
	go func() {
		_, err := f.Outbox.Drain(t.Context(), 2, nil, func(ctx context.Context, batch []outbox.Message) []outbox.Result {
			close(selected)
			<-goOn
			return acknowledge(ctx, batch)
		})
		finished <- err
	}()
	<-selected
	outboxes.DrainTo(t, f.Other, 10, []string{"blocked"}, func(ctx context.Context, batch []outbox.Message) []outbox.Result {
		assert.Equal(t, []string{"3"}, outboxes.UUIDs(batch))
		close(goOn)
		select {
		case err := <-finished:
			require.NoError(t, err)
		case <-time.After(outboxes.Patience):
			assert.Fail(t, "the deletion waits for the other Drain")
		}
		return acknowledge(ctx, batch)
	})
	assert.Empty(t, outboxes.DrainAll(t, f.Outbox))
}
