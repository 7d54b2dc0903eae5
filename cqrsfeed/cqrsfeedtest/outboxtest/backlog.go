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
		found, err := f.Other.Backlog(t.Context())
		require.NoError(t, err)
		return found
	}
	assert.Equal(t, outbox.Backlog{}, backlog())

	before := time.Now()
	f.add(t, "x", "1", "2", "3")
	first := backlog()
	oldest := outboxes.Peek(t, f.Outbox, 1)[0].AddedAt
	assert.WithinRange(t, oldest, before.Add(-time.Millisecond), time.Now())
	waiting := func(n int64) outbox.Backlog {
		return outbox.Backlog{Waiting: n, Oldest: oldest, Topics: []outbox.TopicBacklog{{Topic: "x", Waiting: n, Oldest: oldest}}}
	}
	assert.Equal(t, waiting(3), first)

	outboxes.DrainTo(t, f.Outbox, 2, nil, func(context.Context, []outbox.Message) []outbox.Result {
		assert.Equal(t, first, backlog(), "messages that are being published still wait, and Backlog does not block")
		return []outbox.Result{outboxes.Kept(), outboxes.Refused("no", 1)}
	})
	left := waiting(2)
	left.Parked = 1
	assert.Equal(t, left, backlog())
	outboxes.DrainAll(t, f.Outbox)
	assert.Equal(t, outbox.Backlog{Parked: 1}, backlog())
}

func testTopics(t *testing.T, f Fixture) {
	topics := func() []outbox.TopicBacklog {
		found, err := f.Other.Backlog(t.Context())
		require.NoError(t, err)
		return found.Topics
	}
	waiting := func() map[string]int64 {
		counts := make(map[string]int64)
		last := ""
		for _, topic := range topics() {
			require.Greater(t, topic.Topic, last, "in order")
			require.NotZero(t, topic.Oldest)
			counts[topic.Topic], last = topic.Waiting, topic.Topic
		}
		return counts
	}
	require.Empty(t, waiting())
	f.add(t, "b", "1", "2")
	f.add(t, "a", "3")
	first := topics()
	f.add(t, "b", "4")
	require.Equal(t, map[string]int64{"a": 1, "b": 3}, waiting())
	outboxes.DrainTo(t, f.Outbox, 2, nil, func(context.Context, []outbox.Message) []outbox.Result {
		require.Equal(t, map[string]int64{"a": 1, "b": 3}, waiting(), "what is being published still waits, and nobody waits for it")
		return []outbox.Result{outboxes.Published(), {Outcome: outbox.Park, Reason: errors.New("too large")}}
	})
	require.Equal(t, map[string]int64{"a": 1, "b": 1}, waiting())
	now := topics()
	require.Equal(t, first[0], now[0])
	require.False(t, now[1].Oldest.Before(first[1].Oldest))
}
