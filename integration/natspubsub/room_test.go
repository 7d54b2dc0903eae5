package natspubsub_test

import (
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/ThreeDotsLabs/watermill"
	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/feedmill/feedmill/adapters/natspubsub"
	"github.com/feedmill/feedmill/cqrsfeed/driver"
	"github.com/feedmill/feedmill/integration/internal/servers"
)

// newSmallStream creates a stream that holds so many messages of a topic.
func newSmallStream(t *testing.T, most int64) *natspubsub.Stream {
	t.Helper()

	return ensure(t, connect(t, servers.NATS(t)), natspubsub.StreamConfig{Name: "s-" + watermill.NewShortUUID(), MaxMessages: most})
}

// publishUntilFull publishes messages one by one, and returns how many were stored and the error of the first that was not.
func publishUntilFull(publisher message.Publisher, topic string) (stored int, err error) {
	for stored < 1000 {
		if err := publisher.Publish(topic, numbered(stored, 1)...); err != nil {
			return stored, err
		}
		stored++
	}

	return stored, nil
}

// TestUnreadMessagesAreKept fills a topic whose subscriber is away. Nothing is removed, and the error names who is away.
func TestUnreadMessagesAreKept(t *testing.T) {
	t.Parallel()
	stream := newSmallStream(t, 40)
	publisher, away := newPublisher(t, stream), newDurable(t, stream, natspubsub.DurableConfig{Name: "away"})
	subscribe(t, away, "posts")
	require.NoError(t, away.Close())
	present := subscribe(t, newDurable(t, stream, natspubsub.DurableConfig{Name: "present"}), "posts")

	stored, err := publishUntilFull(publisher, "posts")
	require.ErrorIs(t, err, natspubsub.ErrStreamFull)
	require.ErrorContains(t, err, `consumer "away@posts" has not acknowledged 40`)
	assert.Empty(t, driver.Refusals(err), "a message that waits must not be parked")
	require.Equal(t, 40, stored)
	for i := range stored {
		assert.Equal(t, strconv.Itoa(i), payload(t, present))
	}
	require.ErrorIs(t, publisher.Publish("posts", numbered(40, 1)...), natspubsub.ErrStreamFull, "only one has read them")
	publish(t, publisher, "others", numbered(0, 40)...)

	back := subscribe(t, newDurable(t, stream, natspubsub.DurableConfig{Name: "away"}), "posts")
	for i := range stored {
		assert.Equal(t, strconv.Itoa(i), payload(t, back), "nothing is lost")
	}
	require.Eventually(t, func() bool { return publisher.Publish("posts", numbered(40, 1)...) == nil }, patience, time.Millisecond)
	assert.Equal(t, "40", payload(t, back))
	assert.Equal(t, "40", payload(t, present))
}

// TestReadMessagesMakeRoom publishes far more than the stream holds while they are read.
func TestReadMessagesMakeRoom(t *testing.T) {
	t.Parallel()
	stream := newSmallStream(t, 64)
	const count = 2000
	readers := map[string]<-chan *message.Message{}
	for _, name := range []string{"one", "two"} { // before the first message: a consumer that comes later does not get what was removed
		readers[name] = subscribe(t, newDurable(t, stream, natspubsub.DurableConfig{Name: name}), "posts")
	}
	var publishing sync.WaitGroup
	for part := range 2 {
		publisher := newPublisher(t, stream)
		publishing.Go(func() {
			for first := part * count / 2; first < (part+1)*count/2; first += 10 {
				batch := numbered(first, 10)
				assert.Eventually(t, func() bool { return publisher.Publish("posts", batch...) == nil }, patience, time.Millisecond)
			}
		})
	}
	defer publishing.Wait()
	var reading sync.WaitGroup
	for name, messages := range readers {
		reading.Go(func() {
			seen := map[string]bool{}
			for range count {
				seen[payload(t, messages)] = true
			}
			assert.Len(t, seen, count, name)
		})
	}
	reading.Wait()
}

// TestTrimDelaysNoRedelivery trims the stream while messages wait for their redelivery. A purge makes the broker forget
// which ones are due.
func TestTrimDelaysNoRedelivery(t *testing.T) {
	t.Parallel()
	stream := newSmallStream(t, 80)
	publisher, config := newPublisher(t, stream), natspubsub.DurableConfig{AckWait: time.Minute}
	before := newDurable(t, stream, config)
	messages := subscribe(t, before, "posts")
	publish(t, publisher, "posts", numbered(0, 5)...)
	for range 4 {
		payload(t, messages)
	}
	require.Equal(t, "4", string(next(t, messages).Payload))
	require.NoError(t, before.Close())                                                     // gives it back
	silent(t, subscribe(t, newDurable(t, stream, config), "others"), 200*time.Millisecond) // until it is due
	for i := range 30 {
		publish(t, publisher, "posts", numbered(5+i, 1)...)
	}
	after := subscribe(t, newDurable(t, stream, config), "posts")
	seen := map[string]bool{}
	for range 31 {
		seen[payload(t, after)] = true
	}
	assert.Len(t, seen, 31, "the one that was given back does not wait for AckWait")
}

// TestTopicWithoutReaders keeps what was published before the first subscription.
func TestTopicWithoutReaders(t *testing.T) {
	t.Parallel()
	stream := newSmallStream(t, 40)
	publisher := newPublisher(t, stream)
	stored, err := publishUntilFull(publisher, "posts")
	require.ErrorIs(t, err, natspubsub.ErrStreamFull)
	require.ErrorContains(t, err, "no durable subscriber reads it")
	require.Equal(t, 40, stored)
	messages := subscribe(t, newDurable(t, stream, natspubsub.DurableConfig{}), "posts")
	for i := range stored {
		assert.Equal(t, strconv.Itoa(i), payload(t, messages))
	}
}

// TestConsumersOfOthersAreLeftAlone: what looks into a topic that nobody reads neither makes it lose messages, nor ends.
func TestConsumersOfOthersAreLeftAlone(t *testing.T) {
	t.Parallel()
	nc := connect(t, servers.NATS(t))
	name := "s-" + watermill.NewShortUUID()
	stream := ensure(t, nc, natspubsub.StreamConfig{Name: name, MaxMessages: 40})
	js, err := jetstream.New(nc)
	require.NoError(t, err)
	publisher := newPublisher(t, stream)
	publish(t, publisher, "posts", numbered(0, 30)...)
	subject, err := stream.Subject("posts")
	require.NoError(t, err)
	looking, err := js.CreateConsumer(t.Context(), name, jetstream.ConsumerConfig{
		FilterSubject: subject, AckPolicy: jetstream.AckNonePolicy, InactiveThreshold: time.Minute,
	})
	require.NoError(t, err)
	stored, err := publishUntilFull(publisher, "posts")
	require.ErrorIs(t, err, natspubsub.ErrStreamFull)
	require.Equal(t, 10, stored)

	messages := subscribe(t, newDurable(t, stream, natspubsub.DurableConfig{}), "posts")
	for range 40 {
		payload(t, messages)
	}
	require.Eventually(t, func() bool { return publisher.Publish("posts", numbered(40, 1)...) == nil }, patience, time.Millisecond)
	_, err = looking.Info(t.Context())
	require.NoError(t, err, "it was overtaken")
}

// TestMessagesCalledUpdatesAreKept: metadata of an application does not make its messages disposable.
func TestMessagesCalledUpdatesAreKept(t *testing.T) {
	t.Parallel()
	stream := newSmallStream(t, 40)
	publisher := newPublisher(t, stream)
	event := func(i int) *message.Message {
		msg := numbered(i, 1)[0]
		msg.Metadata.Set("update", "title")

		return msg
	}
	for i := range 40 {
		publish(t, publisher, "posts", event(i))
	}
	require.ErrorIs(t, publisher.Publish("posts", event(40)), natspubsub.ErrStreamFull)
	messages := subscribe(t, newDurable(t, stream, natspubsub.DurableConfig{}), "posts")
	for i := range 40 {
		require.Equal(t, strconv.Itoa(i), payload(t, messages))
	}
}

// TestUpdatesWithoutReaders must not stop the projection whose updates nobody follows.
func TestUpdatesWithoutReaders(t *testing.T) {
	t.Parallel()
	stream := newSmallStream(t, 40)
	publisher := newPublisher(t, stream)
	for i := range 200 {
		update := numbered(i, 1)
		driver.MarkUpdate(update[0])
		publish(t, publisher, "feed-updated", update...)
	}
	messages := subscribe(t, newDurable(t, stream, natspubsub.DurableConfig{}), "feed-updated")
	first, err := strconv.Atoi(payload(t, messages))
	require.NoError(t, err)
	assert.LessOrEqual(t, first, 190, "some are kept")
	for i := first + 1; i < 200; i++ {
		assert.Equal(t, strconv.Itoa(i), payload(t, messages))
	}

	away := newDurable(t, stream, natspubsub.DurableConfig{Name: "away"})
	subscribe(t, away, "feed-updated")
	require.NoError(t, away.Close())
	stored := 0
	for ; err == nil; stored++ {
		update := numbered(stored, 1)
		driver.MarkUpdate(update[0])
		err = publisher.Publish("feed-updated", update...)
		require.LessOrEqual(t, stored, 40, "updates are kept for a durable subscriber that is away")
	}
	require.ErrorIs(t, err, natspubsub.ErrStreamFull)
}

// TestLiveTopicMakesRoom publishes far more than the stream holds to live subscriptions. The one that does not follow is
// overtaken, and its channel is closed.
func TestLiveTopicMakesRoom(t *testing.T) {
	t.Parallel()
	stream := newSmallStream(t, 1600)
	publisher := newPublisher(t, stream)
	follows, stays := subscribe(t, newLive(t, stream), "feed-updated"), subscribe(t, newLive(t, stream), "feed-updated")
	publish(t, publisher, "feed-updated", numbered(0, 1)...)
	held := next(t, stays)
	assert.Equal(t, "0", payload(t, follows))
	for first := 1; first < 4000; first += 20 {
		publish(t, publisher, "feed-updated", numbered(first, 20)...)
		for i := first; i < first+20; i++ {
			require.Equal(t, strconv.Itoa(i), payload(t, follows))
		}
	}
	held.Ack()
	last, ended := 0, false
	for !ended {
		select {
		case msg, open := <-stays:
			if ended = !open; ended {
				break
			}
			i, err := strconv.Atoi(string(msg.Payload))
			require.NoError(t, err)
			require.Equal(t, last+1, i, "nothing is left out before the channel is closed")
			last = i
			msg.Ack()
		case <-time.After(patience):
			require.Fail(t, "the channel was not closed")
		}
	}
	publish(t, publisher, "feed-updated", numbered(4000, 1)...)
	assert.Equal(t, "4000", payload(t, follows))
}
