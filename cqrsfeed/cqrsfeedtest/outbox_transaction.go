package cqrsfeedtest

import (
	"errors"
	"testing"

	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

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
