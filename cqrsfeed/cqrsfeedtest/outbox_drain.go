package cqrsfeedtest

import (
	"context"
	"errors"
	"testing"

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
