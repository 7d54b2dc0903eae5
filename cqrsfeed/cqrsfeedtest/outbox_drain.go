package cqrsfeedtest

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/feedmill/feedmill/cqrsfeed/outbox"
)

func testOutboxOrder(t *testing.T, f OutboxFixture) {
	f.add(t, "x", "1", "2")
	f.add(t, "y", "3")
	require.NoError(t, f.Transaction(t.Context(), func(publisher message.Publisher) error {
		return errors.Join(
			publisher.Publish("y", newMessages(t.Context(), "4")...),
			publisher.Publish("x", newMessages(t.Context(), "5", "6")...),
		)
	}))
	messages := drain(t, f.Outbox, 100)
	assert.Equal(t, []string{"1", "2", "3", "4", "5", "6"}, uuidsOf(messages))
	topics := make([]string, len(messages))
	for i, m := range messages {
		topics[i] = m.Topic
	}
	assert.Equal(t, []string{"x", "x", "y", "y", "x", "x"}, topics)
	assert.Empty(t, drain(t, f.Outbox, 100), "published messages came again")
}

func testOutboxEmpty(t *testing.T, f OutboxFixture) {
	taken, err := f.Outbox.Drain(t.Context(), 10, nil, func(context.Context, []outbox.Message) []outbox.Result {
		t.Error("publish was called without messages")
		return nil
	})
	require.NoError(t, err)
	assert.Zero(t, taken)
}

func testOutboxLimit(t *testing.T, f OutboxFixture) {
	f.add(t, "x", "1", "2", "3", "4", "5")
	assert.Equal(t, []string{"1", "2"}, uuidsOf(drain(t, f.Outbox, 2)))
	assert.Equal(t, []string{"3", "4"}, uuidsOf(drain(t, f.Outbox, 2)))
	assert.Equal(t, []string{"5"}, uuidsOf(drain(t, f.Outbox, 2)))
}

func testOutboxKept(t *testing.T, f OutboxFixture) {
	f.add(t, "x", "1", "2", "3", "4", "5")
	calls := 0
	taken, err := f.Outbox.Drain(t.Context(), 4, nil, func(_ context.Context, batch []outbox.Message) []outbox.Result {
		calls++
		assert.Equal(t, []string{"1", "2", "3", "4"}, uuidsOf(batch))
		return []outbox.Result{published(), kept(), published(), kept()}
	})
	require.NoError(t, err)
	assert.Equal(t, 4, taken)
	assert.Equal(t, 1, calls)

	taken, err = f.Outbox.Drain(t.Context(), 1, nil, func(_ context.Context, batch []outbox.Message) []outbox.Result {
		assert.Equal(t, []string{"2"}, uuidsOf(batch))
		return []outbox.Result{kept()}
	})
	require.NoError(t, err)
	assert.Equal(t, 1, taken)
	assert.Equal(t, []string{"2", "4", "5"}, uuidsOf(drainAll(t, f.Outbox)))
}

func testOutboxPanic(t *testing.T, f OutboxFixture) {
	f.add(t, "x", "1", "2")
	assert.PanicsWithValue(t, "boom", func() {
		_, _ = f.Outbox.Drain(t.Context(), 10, nil, func(context.Context, []outbox.Message) []outbox.Result { panic("boom") })
	})
	assert.Equal(t, []string{"1", "2"}, uuidsOf(drain(t, f.Outbox, 10)), "the messages must not stay locked")
}

func testOutboxEndedContext(t *testing.T, f OutboxFixture) {
	f.add(t, "x", "1")
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := f.Outbox.Drain(ended, 10, nil, func(context.Context, []outbox.Message) []outbox.Result {
		t.Error("publish was called although the context had ended")
		return []outbox.Result{kept()}
	})
	require.ErrorIs(t, err, context.Canceled)
	assert.Equal(t, []string{"1"}, uuidsOf(drain(t, f.Outbox, 10)))
}

func testOutboxContextEnds(t *testing.T, f OutboxFixture) {
	f.add(t, "x", "1", "2")
	ctx, cancel := context.WithCancel(t.Context())
	_, err := f.Outbox.Drain(ctx, 10, nil, func(got context.Context, _ []outbox.Message) []outbox.Result {
		cancel()
		require.ErrorIs(t, got.Err(), context.Canceled, "publish has Drain's context")
		return []outbox.Result{published(), kept()}
	})
	require.NoError(t, err)
	assert.Equal(t, []string{"2"}, uuidsOf(drain(t, f.Outbox, 10)))
}

// tryDrainExcept is tryDrain for all topics but those in except; it acknowledges all messages.
func tryDrainExcept(ctx context.Context, queue outbox.Outbox, limit int, except ...string) ([]outbox.Message, error) {
	ctx, cancel := context.WithTimeout(ctx, patience)
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
	return uuidsOf(messages)
}

func testOutboxExcept(t *testing.T, f OutboxFixture) {
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
	assert.Equal(t, []string{"4"}, uuidsOf(drainAll(t, f.Outbox)))
}

func testOutboxExceptLimit(t *testing.T, f OutboxFixture) {
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

func testOutboxMessageContext(t *testing.T, f OutboxFixture) {
	f.add(t, "x", "1")
	f.add(t, "y", "2")
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	deadline, _ := ctx.Deadline()
	for _, except := range [][]string{nil, {"x"}} {
		_, err := f.Outbox.Drain(ctx, 10, except, func(_ context.Context, batch []outbox.Message) []outbox.Result {
			for _, m := range batch {
				got, ok := m.Message.Context().Deadline()
				assert.True(t, ok)
				assert.Equal(t, deadline, got)
			}
			return make([]outbox.Result, len(batch))
		})
		require.NoError(t, err)
	}
}

// testOutboxExceptDisjoint drains all but one topic while another Drain has the first messages of the rest.
func testOutboxExceptDisjoint(t *testing.T, f OutboxFixture) {
	if !f.LocksMessages {
		return // a Drain waits for its turn, as testOutboxDisjoint shows
	}
	f.add(t, "x", "1", "2", "3", "4")
	f.add(t, "blocked", "5")
	f.add(t, "y", "6")
	for _, except := range [][]string{nil, {"blocked"}} {
		taken, err := f.Outbox.Drain(t.Context(), 2, except, func(ctx context.Context, batch []outbox.Message) []outbox.Result {
			assert.Equal(t, []string{"1", "2"}, uuidsOf(batch))
			taken, err := f.Other.Drain(ctx, 2, []string{"blocked"}, func(_ context.Context, batch []outbox.Message) []outbox.Result {
				assert.Equal(t, []string{"3", "4"}, uuidsOf(batch), "it goes on behind locked messages")
				return []outbox.Result{kept(), kept()}
			})
			require.NoError(t, err)
			assert.Equal(t, 2, taken)
			return []outbox.Result{kept(), kept()}
		})
		require.NoError(t, err)
		assert.Equal(t, 2, taken)
	}
}

// testOutboxExceptDeletion ends a Drain while another one, with a topic left out, is publishing and has seen its messages.
func testOutboxExceptDeletion(t *testing.T, f OutboxFixture) {
	if !f.LocksMessages {
		return // see testOutboxExceptDisjoint
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
	_, err := f.Other.Drain(t.Context(), 10, []string{"blocked"}, func(ctx context.Context, batch []outbox.Message) []outbox.Result {
		assert.Equal(t, []string{"3"}, uuidsOf(batch))
		close(goOn)
		select {
		case err := <-finished:
			require.NoError(t, err)
		case <-time.After(patience):
			assert.Fail(t, "the deletion waits for the other Drain")
		}
		return acknowledge(ctx, batch)
	})
	require.NoError(t, err)
	assert.Empty(t, drainAll(t, f.Outbox))
}
