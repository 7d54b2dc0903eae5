package outboxtest

import (
	"context"
	"testing"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/feedmill/feedmill/cqrsfeed/cqrsfeedtest/internal/outboxes"
)

// newerTraffic is how long newer messages are added and published before an older one appears. It is longer than a store
// remembers which ids it has read.
const newerTraffic = 2200 * time.Millisecond

// passOver adds and publishes newer messages.
func (f Fixture) passOver(ctx context.Context, t *testing.T) {
	t.Helper()
	for began := time.Now(); time.Since(began) < newerTraffic; {
		require.NoError(t, f.tryAdd(ctx, "x", "newer"))
		messages, err := outboxes.TryDrain(ctx, f.Outbox, 10, outboxes.Published())
		require.NoError(t, err)
		require.Equal(t, []string{"newer"}, outboxes.UUIDs(messages))
	}
}

// testLateCommit commits a message after newer ones were published. A relay that only follows Wake finds it.
func testLateCommit(t *testing.T, f Fixture) {
	if !f.LocksMessages {
		return // transactions do not overlap
	}
	require.NoError(t, f.Transaction(t.Context(), func(publisher message.Publisher) error {
		require.NoError(t, publisher.Publish("x", newMessages(t.Context(), "late")...))
		f.passOver(t.Context(), t)
		return publisher.Publish("x", newMessages(t.Context(), "last")...)
	}))
	var found []string
	for len(found) < 2 {
		outboxes.RequireAwake(t, f.Outbox)
		found = append(found, outboxes.UUIDs(outboxes.Drain(t, f.Outbox, 10))...)
	}
	assert.ElementsMatch(t, []string{"late", "last"}, found)
}

// testUnparkElsewhere returns a message from another process after newer ones were published.
func testUnparkElsewhere(t *testing.T, f Fixture) {
	f.park(t, "1")
	f.passOver(t.Context(), t)
	_, err := f.Other.Unpark(t.Context(), idsOf(outboxes.Parked(t, f.Other))...)
	require.NoError(t, err)
	for deadline := time.Now().Add(outboxes.Patience); ; {
		found := outboxes.UUIDs(outboxes.Drain(t, f.Outbox, 10))
		if len(found) > 0 || time.Now().After(deadline) {
			assert.Equal(t, []string{"1"}, found)
			return
		}
	}
}
