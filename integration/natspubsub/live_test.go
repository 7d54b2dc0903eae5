package natspubsub_test

import (
	"context"
	"strconv"
	"testing"
	"time"

	"github.com/ThreeDotsLabs/watermill"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/feedmill/feedmill/adapters/natspubsub"
	"github.com/feedmill/feedmill/integration/internal/servers"
)

func TestLiveDeliversNewMessagesInOrder(t *testing.T) {
	t.Parallel()
	stream, _ := newStream(t)
	publisher := newPublisher(t, stream)
	publish(t, publisher, "updates", numbered(-5, 5)...)
	one := subscribe(t, newLive(t, stream), "updates")
	two := subscribe(t, newLive(t, stream), "updates")
	const count = 1000 // several prefetches
	publish(t, publisher, "updates", numbered(0, count)...)
	publish(t, publisher, "others", numbered(0, 1)...)

	for i := range count {
		assert.Equal(t, strconv.Itoa(i), payload(t, one))
		assert.Equal(t, strconv.Itoa(i), payload(t, two))
	}
	silent(t, one, 100*time.Millisecond)
}

func TestLiveWaitsForTheAcknowledgement(t *testing.T) {
	t.Parallel()
	stream, _ := newStream(t)
	messages := subscribe(t, newLive(t, stream), "updates")
	publish(t, newPublisher(t, stream), "updates", numbered(0, 2)...)

	first := next(t, messages)
	silent(t, messages, 100*time.Millisecond)
	first.Nack()
	again := next(t, messages)
	assert.Equal(t, first.UUID, again.UUID)
	again.Ack()
	require.Eventually(t, func() bool { return again.Context().Err() != nil }, patience, time.Millisecond)
	assert.Equal(t, "1", payload(t, messages))
}

func TestLiveRemovesItsConsumers(t *testing.T) {
	t.Parallel()
	nc := connect(t, servers.NATS(t))
	name := "s-" + watermill.NewShortUUID()
	stream := ensure(t, nc, natspubsub.StreamConfig{Name: name})
	js, err := jetstream.New(nc)
	require.NoError(t, err)
	consumers := func() int {
		found, err := js.Stream(t.Context(), name)
		require.NoError(t, err)

		return found.CachedInfo().State.Consumers
	}

	subscriber := newLive(t, stream)
	ctx, cancel := context.WithCancel(t.Context())
	canceled, err := subscriber.Subscribe(ctx, "updates")
	require.NoError(t, err)
	stays := subscribe(t, subscriber, "updates")
	assert.Equal(t, 2, consumers())
	publish(t, newPublisher(t, stream), "updates", numbered(0, 1)...)
	held := next(t, canceled)
	cancel()
	closed(t, canceled)
	require.Error(t, held.Context().Err())
	assert.Equal(t, "0", payload(t, stays))

	require.NoError(t, subscriber.Close())
	closed(t, stays)
	assert.Zero(t, consumers())
	_, err = subscriber.Subscribe(t.Context(), "updates")
	require.ErrorIs(t, err, natspubsub.ErrClosed)
}

// TestLiveReplacesItsConsumer deletes the consumer, as the broker may do with an ephemeral one at any time.
func TestLiveReplacesItsConsumer(t *testing.T) {
	t.Parallel()
	nc := connect(t, servers.NATS(t))
	name := "s-" + watermill.NewShortUUID()
	stream := ensure(t, nc, natspubsub.StreamConfig{Name: name})
	publisher := newPublisher(t, stream)
	messages := subscribe(t, newLive(t, stream), "updates")
	publish(t, publisher, "updates", numbered(0, 1)...)
	assert.Equal(t, "0", payload(t, messages))

	js, err := jetstream.New(nc)
	require.NoError(t, err)
	found, err := js.Stream(t.Context(), name)
	require.NoError(t, err)
	for consumer := range found.ListConsumers(t.Context()).Info() {
		require.NoError(t, js.DeleteConsumer(t.Context(), name, consumer.Name))
	}
	publish(t, publisher, "updates", numbered(1, 10)...)
	for i := 1; i <= 10; i++ {
		assert.Equal(t, strconv.Itoa(i), payload(t, messages))
	}
}
