package natspubsub_test

import (
	"context"
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"
	"github.com/stretchr/testify/require"

	"github.com/feedmill/feedmill/adapters/natspubsub"
	"github.com/feedmill/feedmill/cqrsfeed/projector"
)

// TestDurableBacklog counts messages that were not delivered and messages that were not acknowledged.
func TestDurableBacklog(t *testing.T) {
	t.Parallel()
	stream, _ := newStream(t)
	subscriber := newDurable(t, stream, natspubsub.DurableConfig{MaxInFlight: 2})
	var asked projector.Backlogger = subscriber
	var oldest time.Time
	backlog := func() int64 {
		found, err := asked.Backlog(context.Background(), "posts")
		require.NoError(t, err)
		oldest = found.Oldest
		return found.Messages
	}
	_, err := asked.Backlog(t.Context(), "posts")
	require.ErrorIs(t, err, jetstream.ErrConsumerNotFound)

	messages := subscribe(t, subscriber, "posts")
	require.Equal(t, int64(0), backlog())
	require.Zero(t, oldest)
	published := time.Now()
	publish(t, newPublisher(t, stream), "posts", numbered(0, 5)...)
	publish(t, newPublisher(t, stream), "other", numbered(0, 5)...)
	first, second := next(t, messages), next(t, messages)
	require.Equal(t, int64(5), backlog())
	require.WithinDuration(t, published, oldest, patience)
	of0 := oldest
	first.Ack()
	second.Ack()
	require.Eventually(t, func() bool { return backlog() == 3 }, patience, 5*time.Millisecond)
	require.True(t, oldest.After(of0), "%s is that of a message that was acknowledged", oldest)
	for range 3 {
		next(t, messages).Ack()
	}
	require.Eventually(t, func() bool { return backlog() == 0 }, patience, 5*time.Millisecond)
	require.Zero(t, oldest)
}
