package outboxtest

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/feedmill/feedmill/cqrsfeed/cqrsfeedtest/internal/outboxes"
	"github.com/feedmill/feedmill/cqrsfeed/outbox"
)

func testBacklog(t *testing.T, f Fixture) {
	backlog := func() outbox.Backlog {
		found, err := outboxes.Operations(t, f.Other).Backlog(t.Context())
		require.NoError(t, err)
		return found
	}
	assert.Equal(t, outbox.Backlog{}, backlog())

	before := time.Now()
	f.add(t, "x", "1", "2", "3")
	first := backlog()
	assert.Equal(t, int64(3), first.Waiting)
	assert.WithinRange(t, first.Oldest, before.Add(-time.Millisecond), time.Now())
	assert.Equal(t, outboxes.Peek(t, f.Outbox, 1)[0].AddedAt, first.Oldest)

	_, err := f.Outbox.Drain(t.Context(), 2, nil, func(context.Context, []outbox.Message) []outbox.Result {
		assert.Equal(t, first, backlog(), "messages that are being published still wait, and Backlog does not block")
		return []outbox.Result{outboxes.Kept(), outboxes.Refused("no", 1)}
	})
	require.NoError(t, err)
	assert.Equal(t, outbox.Backlog{Waiting: 2, Oldest: first.Oldest, Parked: 1}, backlog())
	outboxes.DrainAll(t, f.Outbox)
	assert.Equal(t, outbox.Backlog{Parked: 1}, backlog())
}

func testTopics(t *testing.T, f Fixture) {
	waiting := func() map[string]int64 {
		topics, err := outboxes.Operations(t, f.Other).WaitingByTopic(t.Context())
		require.NoError(t, err)
		counts := make(map[string]int64)
		last := ""
		for _, topic := range topics {
			require.Greater(t, topic.Topic, last, "in order")
			require.NotZero(t, topic.Oldest)
			counts[topic.Topic], last = topic.Waiting, topic.Topic
		}
		return counts
	}
	require.Empty(t, waiting())
	f.add(t, "b", "1", "2")
	f.add(t, "a", "3")
	first, err := outboxes.Operations(t, f.Other).WaitingByTopic(t.Context())
	require.NoError(t, err)
	f.add(t, "b", "4")
	require.Equal(t, map[string]int64{"a": 1, "b": 3}, waiting())
	_, err = f.Outbox.Drain(t.Context(), 2, nil, func(context.Context, []outbox.Message) []outbox.Result {
		require.Equal(t, map[string]int64{"a": 1, "b": 3}, waiting(), "what is being published still waits, and nobody waits for it")
		return []outbox.Result{outboxes.Published(), {Outcome: outbox.Park, Reason: errors.New("too large")}}
	})
	require.NoError(t, err)
	require.Equal(t, map[string]int64{"a": 1, "b": 1}, waiting())
	now, err := outboxes.Operations(t, f.Other).WaitingByTopic(t.Context())
	require.NoError(t, err)
	require.Equal(t, first[0], now[0])
	require.False(t, now[1].Oldest.Before(first[1].Oldest))
}
