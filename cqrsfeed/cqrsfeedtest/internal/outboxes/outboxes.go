// Package outboxes has helpers of the suites that use an outbox.
package outboxes

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/feedmill/feedmill/cqrsfeed/limits"
	"github.com/feedmill/feedmill/cqrsfeed/outbox"
)

// Patience bounds a call that must not block.
const Patience = 10 * time.Second

// Kept is the result for a message that stays in the outbox.
func Kept() outbox.Result { return outbox.Result{} }

// Published is the result for a message that the broker took.
func Published() outbox.Result { return outbox.Result{Outcome: outbox.Published} }

// Refused is the result for a message that is to be parked.
func Refused(reason string, attempts int) outbox.Result {
	return outbox.Result{Outcome: outbox.Park, Reason: errors.New(reason), Attempts: attempts}
}

// DrainTo drains by publish, and returns how many messages were taken.
func DrainTo(t *testing.T, queue outbox.Outbox, limit int, except []string, publish outbox.PublishFunc) int {
	t.Helper()
	taken, err := queue.Drain(t.Context(), limit, except, publish)
	require.NoError(t, err)
	return taken
}

// Drain takes up to limit messages and acknowledges them.
func Drain(t *testing.T, queue outbox.Outbox, limit int) []outbox.Message {
	t.Helper()
	messages, err := TryDrain(t.Context(), queue, limit, Published())
	require.NoError(t, err)
	return messages
}

// Peek returns the oldest messages without acknowledging them.
func Peek(t *testing.T, queue outbox.Outbox, limit int) []outbox.Message {
	t.Helper()
	messages, err := TryDrain(t.Context(), queue, limit, Kept())
	require.NoError(t, err)
	return messages
}

// TryDrain takes up to limit messages and returns the result for each.
func TryDrain(ctx context.Context, queue outbox.Outbox, limit int, result outbox.Result) ([]outbox.Message, error) {
	ctx, cancel := context.WithTimeout(ctx, Patience)
	defer cancel()
	var messages []outbox.Message
	taken, err := queue.Drain(ctx, limit, nil, func(_ context.Context, batch []outbox.Message) []outbox.Result {
		messages = append(messages, batch...)
		return slices.Repeat([]outbox.Result{result}, len(batch))
	})
	if err == nil && taken != len(messages) {
		err = fmt.Errorf("drain returned %d, publish was given %d messages", taken, len(messages))
	}
	return messages, err
}

// DrainAll empties the outbox.
func DrainAll(t *testing.T, queue outbox.Outbox) []outbox.Message {
	t.Helper()
	var messages []outbox.Message
	for {
		batch := Drain(t, queue, 100)
		if len(batch) == 0 {
			return messages
		}
		messages = append(messages, batch...)
	}
}

// UUIDs returns the UUIDs of messages.
func UUIDs(messages []outbox.Message) []string {
	uuids := make([]string, len(messages))
	for i, m := range messages {
		uuids[i] = m.Message.UUID
	}
	return uuids
}

// RequireAwake requires that a relay is woken.
func RequireAwake(t *testing.T, queue outbox.Outbox) {
	t.Helper()
	select {
	case <-queue.Wake():
	case <-time.After(Patience):
		require.Fail(t, "the relay was not woken")
	}
}

// RequireAsleep requires that no relay was woken.
func RequireAsleep(t *testing.T, queue outbox.Outbox) {
	t.Helper()
	select {
	case <-queue.Wake():
		assert.Fail(t, "the relay was woken although nothing was committed")
	default:
	}
}

// RefuseAll publishes as a broker that refuses everything.
func RefuseAll(_ context.Context, batch []outbox.Message) []outbox.Result {
	results := make([]outbox.Result, len(batch))
	for i, m := range batch {
		results[i] = Refused("no "+m.Message.UUID, 1)
	}
	return results
}

// Parked lists all parked messages.
func Parked(t *testing.T, queue outbox.Outbox) []outbox.ParkedMessage {
	t.Helper()
	messages, err := queue.Parked(t.Context(), "", limits.MaxPageLimit)
	require.NoError(t, err)
	return messages
}
