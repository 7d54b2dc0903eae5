package outboxtest

import (
	"context"
	"errors"
	"testing"

	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/feedmill/feedmill/cqrsfeed/cqrsfeedtest/internal/outboxes"
	"github.com/feedmill/feedmill/cqrsfeed/outbox"
)

func testOrder(t *testing.T, f Fixture) {
	f.add(t, "x", "1", "2")
	f.add(t, "y", "3")
	require.NoError(t, f.Transaction(t.Context(), func(publisher message.Publisher) error {
		return errors.Join(
			publisher.Publish("y", newMessages(t.Context(), "4")...),
			publisher.Publish("x", newMessages(t.Context(), "5", "6")...),
		)
	}))
	messages := outboxes.Drain(t, f.Outbox, 100)
	assert.Equal(t, []string{"1", "2", "3", "4", "5", "6"}, outboxes.UUIDs(messages))
	topics := make([]string, len(messages))
	for i, m := range messages {
		topics[i] = m.Topic
	}
	assert.Equal(t, []string{"x", "x", "y", "y", "x", "x"}, topics)
	assert.Empty(t, outboxes.Drain(t, f.Outbox, 100), "published messages came again")
}

func testEmpty(t *testing.T, f Fixture) {
	taken := outboxes.DrainTo(t, f.Outbox, 10, nil, func(context.Context, []outbox.Message) []outbox.Result {
		t.Error("publish was called without messages")
		return nil
	})
	assert.Zero(t, taken)
}

func testLimit(t *testing.T, f Fixture) {
	f.add(t, "x", "1", "2", "3", "4", "5")
	assert.Equal(t, []string{"1", "2"}, outboxes.UUIDs(outboxes.Drain(t, f.Outbox, 2)))
	assert.Equal(t, []string{"3", "4"}, outboxes.UUIDs(outboxes.Drain(t, f.Outbox, 2)))
	assert.Equal(t, []string{"5"}, outboxes.UUIDs(outboxes.Drain(t, f.Outbox, 2)))
}

func testKept(t *testing.T, f Fixture) {
	f.add(t, "x", "1", "2", "3", "4", "5")
	calls := 0
	taken := outboxes.DrainTo(t, f.Outbox, 4, nil, func(_ context.Context, batch []outbox.Message) []outbox.Result {
		calls++
		assert.Equal(t, []string{"1", "2", "3", "4"}, outboxes.UUIDs(batch))
		return []outbox.Result{outboxes.Published(), outboxes.Kept(), outboxes.Published(), outboxes.Kept()}
	})
	assert.Equal(t, 4, taken)
	assert.Equal(t, 1, calls)

	taken = outboxes.DrainTo(t, f.Outbox, 1, nil, func(_ context.Context, batch []outbox.Message) []outbox.Result {
		assert.Equal(t, []string{"2"}, outboxes.UUIDs(batch))
		return []outbox.Result{outboxes.Kept()}
	})
	assert.Equal(t, 1, taken)
	assert.Equal(t, []string{"2", "4", "5"}, outboxes.UUIDs(outboxes.DrainAll(t, f.Outbox)))
}

func testPanic(t *testing.T, f Fixture) {
	f.add(t, "x", "1", "2")
	assert.PanicsWithValue(t, "boom", func() {
		_, _ = f.Outbox.Drain(t.Context(), 10, nil, func(context.Context, []outbox.Message) []outbox.Result { panic("boom") })
	})
	assert.Equal(t, []string{"1", "2"}, outboxes.UUIDs(outboxes.Drain(t, f.Outbox, 10)), "the messages must not stay locked")
}

func testEndedContext(t *testing.T, f Fixture) {
	f.add(t, "x", "1")
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := f.Outbox.Drain(ended, 10, nil, func(context.Context, []outbox.Message) []outbox.Result {
		t.Error("publish was called although the context had ended")
		return []outbox.Result{outboxes.Kept()}
	})
	require.ErrorIs(t, err, context.Canceled)
	assert.Equal(t, []string{"1"}, outboxes.UUIDs(outboxes.Drain(t, f.Outbox, 10)))
}

func testContextEnds(t *testing.T, f Fixture) {
	f.add(t, "x", "1", "2")
	ctx, cancel := context.WithCancel(t.Context())
	_, err := f.Outbox.Drain(ctx, 10, nil, func(got context.Context, _ []outbox.Message) []outbox.Result {
		cancel()
		require.ErrorIs(t, got.Err(), context.Canceled, "publish has Drain's context")
		return []outbox.Result{outboxes.Published(), outboxes.Kept()}
	})
	require.NoError(t, err)
	assert.Equal(t, []string{"2"}, outboxes.UUIDs(outboxes.Drain(t, f.Outbox, 10)))
}

func testMessageContext(t *testing.T, f Fixture) {
	f.add(t, "x", "1")
	f.add(t, "y", "2")
	ctx, cancel := context.WithTimeout(t.Context(), outboxes.Patience)
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
