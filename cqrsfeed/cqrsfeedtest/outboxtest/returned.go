package outboxtest

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/feedmill/feedmill/cqrsfeed/cqrsfeedtest/internal/outboxes"
	"github.com/feedmill/feedmill/cqrsfeed/outbox"
)

// testReturnedBefore returns a message of a topic whose order is kept, from another process. Nothing waits for it, and a newer one
// comes then.
func testReturnedBefore(t *testing.T, f Fixture) {
	parked := f.passOverParked(t)
	_, err := f.Other.Unpark(t.Context(), parked...)
	require.NoError(t, err)
	f.add(t, "ordered", "newer")
	assert.Equal(t, []string{"older", "newer"}, outboxes.UUIDs(outboxes.Drain(t, f.Outbox, 10)))
}

// testReturnedDuring returns a message of a topic whose order is kept when a Drain has begun and not read yet. A newer one waits
// for it.
func testReturnedDuring(t *testing.T, f Fixture) { f.returnDuring(t, f.Outbox) }

// testReturnedDuringElsewhere is testReturnedDuring with another process that returns the message.
func testReturnedDuringElsewhere(t *testing.T, f Fixture) { f.returnDuring(t, f.Other) }

func (f Fixture) returnDuring(t *testing.T, queue outbox.Outbox) {
	t.Helper()
	parked := f.passOverParked(t)
	f.add(t, "ordered", "newer")
	held := false
	f.Before(func(statement string) {
		if held || !strings.HasPrefix(statement, "SELECT") {
			return
		}
		held = true
		_, err := queue.Unpark(t.Context(), parked...)
		assert.NoError(t, err)
	})
	published := outboxes.UUIDs(outboxes.Drain(t, f.Outbox, 10))
	require.True(t, held)
	assert.Equal(t, []string{"older", "newer"}, published)
}

// passOverParked parks a message, and publishes newer ones until the outbox may have forgotten which ids were before. From then on
// it keeps the order of the topic.
func (f Fixture) passOverParked(t *testing.T) (ids []string) {
	t.Helper()
	f.add(t, "ordered", "older")
	outboxes.DrainTo(t, f.Outbox, 1, nil, outboxes.RefuseAll)
	f.passOver(t.Context(), t)
	f.keepOrder(t, "ordered")
	return idsOf(outboxes.Parked(t, f.Outbox))
}
