package natspubsub_test

import (
	"context"
	"slices"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/feedmill/feedmill/adapters/natspubsub"
	"github.com/feedmill/feedmill/cqrsfeed"
)

func TestDurableDeliversUpToMaxInFlightInOrder(t *testing.T) {
	t.Parallel()
	stream, _ := newStream(t)
	publish(t, newPublisher(t, stream), "posts", numbered(0, 100)...)
	messages := subscribe(t, newDurable(t, stream, natspubsub.DurableConfig{MaxInFlight: 64}), "posts")

	var batch []*message.Message
	for i := range 64 {
		msg := next(t, messages)
		assert.Equal(t, strconv.Itoa(i), string(msg.Payload))
		batch = append(batch, msg)
	}
	silent(t, messages, 200*time.Millisecond) // no more than MaxInFlight

	batch[0].Ack()
	assert.Equal(t, "64", string(next(t, messages).Payload), "one acknowledged makes room for one")
	for _, msg := range batch[1:] {
		msg.Ack()
	}
	for i := 65; i < 100; i++ {
		assert.Equal(t, strconv.Itoa(i), payload(t, messages))
	}
}

func TestDurableDividesTheWork(t *testing.T) {
	t.Parallel()
	stream, _ := newStream(t)
	one := subscribe(t, newDurable(t, stream, natspubsub.DurableConfig{MaxInFlight: 8}), "posts")
	two := subscribe(t, newDurable(t, stream, natspubsub.DurableConfig{MaxInFlight: 8}), "posts")
	const count = 500
	publish(t, newPublisher(t, stream), "posts", numbered(0, count)...)

	seen, byOne, byTwo := map[string]int{}, 0, 0
	for range count {
		select {
		case msg := <-one:
			byOne++
			seen[string(msg.Payload)]++
			msg.Ack()
		case msg := <-two:
			byTwo++
			seen[string(msg.Payload)]++
			msg.Ack()
		case <-time.After(patience):
			require.Fail(t, "messages are missing", "%d came", len(seen))
		}
	}
	assert.Len(t, seen, count, "each came once")
	assert.Greater(t, byOne, count/10)
	assert.Greater(t, byTwo, count/10)
	silent(t, one, 100*time.Millisecond)
}

func TestDurableResumesWhereItEnded(t *testing.T) {
	t.Parallel()
	stream, _ := newStream(t)
	publisher := newPublisher(t, stream)
	before := newDurable(t, stream, natspubsub.DurableConfig{})
	messages := subscribe(t, before, "posts")
	publish(t, publisher, "posts", numbered(0, 10)...)
	for i := range 5 {
		assert.Equal(t, strconv.Itoa(i), payload(t, messages))
	}
	require.NoError(t, before.Close())
	closed(t, messages)
	publish(t, publisher, "posts", numbered(10, 10)...)

	// Messages that were given back are delivered after new ones.
	after := subscribe(t, newDurable(t, stream, natspubsub.DurableConfig{}), "posts")
	var got []int
	for range 15 {
		n, err := strconv.Atoi(payload(t, after))
		require.NoError(t, err)
		got = append(got, n)
	}
	slices.Sort(got)
	assert.Equal(t, []int{5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19}, got)
	silent(t, after, 100*time.Millisecond)
}

// TestDurableConsumerIsKept checks that the broker keeps a durable consumer and its backlog without a time limit, also over
// a restart.
func TestDurableConsumerIsKept(t *testing.T) {
	t.Parallel()
	b := startBroker(t)
	nc := connect(t, b.running.ClientURL())
	stream := ensure(t, nc, natspubsub.StreamConfig{Name: "absence"})
	publisher, subscriber := newPublisher(t, stream), newDurable(t, stream, natspubsub.DurableConfig{AckWait: time.Second})
	messages := subscribe(t, subscriber, "posts")
	publish(t, publisher, "posts", numbered(0, 10)...)
	for range 5 {
		payload(t, messages)
	}
	require.NoError(t, subscriber.Close())
	publish(t, publisher, "posts", numbered(10, 5)...)
	require.Eventually(t, func() bool { // the broker has processed the acknowledgements
		waiting, err := subscriber.Backlog(t.Context(), "posts")

		return err == nil && waiting.Messages == 10
	}, patience, time.Millisecond)
	nc.Close()
	b.stop()
	b.start(t)

	again := connect(t, b.running.ClientURL())
	js, err := jetstream.New(again)
	require.NoError(t, err)
	consumer, err := js.Consumer(t.Context(), "absence", "work@posts")
	require.NoError(t, err, "the consumer exists without a subscription")
	info := consumer.CachedInfo()
	assert.Zero(t, info.Config.InactiveThreshold, "it does not expire")
	assert.Equal(t, -1, info.Config.MaxDeliver, "the number of deliveries is not limited")
	assert.False(t, info.Config.MemoryStorage)
	assert.Equal(t, uint64(5), info.AckFloor.Stream, "acknowledgements are kept")
	assert.Equal(t, 10, int(info.NumPending)+info.NumAckPending, "the backlog is kept")
	stream, err = natspubsub.NewStream(again, natspubsub.StreamConfig{Name: "absence"}, nil)
	require.NoError(t, err)
	messages = subscribe(t, newDurable(t, stream, natspubsub.DurableConfig{AckWait: time.Second}), "posts")
	var got []int
	for range 10 {
		n, err := strconv.Atoi(payload(t, messages))
		require.NoError(t, err)
		got = append(got, n)
	}
	slices.Sort(got)
	assert.Equal(t, []int{5, 6, 7, 8, 9, 10, 11, 12, 13, 14}, got)
}

// TestDurableExtendsDeadlines checks that a slow handler causes no redelivery, neither of its message nor of those that
// wait behind it.
func TestDurableExtendsDeadlines(t *testing.T) {
	t.Parallel()
	stream, _ := newStream(t)
	config := natspubsub.DurableConfig{AckWait: time.Second, MaxInFlight: 16}
	slow := subscribe(t, newDurable(t, stream, config), "posts")
	publish(t, newPublisher(t, stream), "posts", numbered(0, 16)...)
	worked := next(t, slow) // the other 15 wait in the channel
	other := subscribe(t, newDurable(t, stream, config), "posts")

	silent(t, other, 3500*time.Millisecond)
	worked.Ack()
	for i := 1; i < 16; i++ {
		assert.Equal(t, strconv.Itoa(i), payload(t, slow))
	}
	silent(t, other, 1500*time.Millisecond)
}

func TestDurableRedeliversAfterNack(t *testing.T) {
	t.Parallel()
	stream, _ := newStream(t)
	messages := subscribe(t, newDurable(t, stream, natspubsub.DurableConfig{}), "posts")
	sent := numbered(0, 1)
	publish(t, newPublisher(t, stream), "posts", sent...)

	began := time.Now()
	for range 3 {
		msg := next(t, messages)
		assert.Equal(t, sent[0].UUID, msg.UUID)
		msg.Nack()
	}
	assert.Equal(t, "0", payload(t, messages))
	assert.GreaterOrEqual(t, time.Since(began), (50+100+200)*time.Millisecond, "the delay doubles")
	silent(t, messages, 200*time.Millisecond)
}

func TestDurableTakesAnyTopic(t *testing.T) {
	t.Parallel()
	stream, _ := newStream(t)
	publisher, subscriber := newPublisher(t, stream), newDurable(t, stream, natspubsub.DurableConfig{})
	topics := []string{"post", "post.created", "post.created.v1", ".post.", "a..b", "a b", "a*", ">", "*", "größe", "a%2Eb", "x/y\\z", "a@b"}
	channels := make([]<-chan *message.Message, len(topics))
	for i, topic := range topics {
		channels[i] = subscribe(t, subscriber, topic)
	}
	for i, topic := range topics {
		publish(t, publisher, topic, numbered(i, 1)...)
	}
	for i, topic := range topics {
		assert.Equal(t, strconv.Itoa(i), payload(t, channels[i]), "topic %q", topic)
	}
	for _, messages := range channels {
		silent(t, messages, 10*time.Millisecond)
	}
}

func TestDurableTerminatesWhatCannotBeDecoded(t *testing.T) {
	t.Parallel()
	stream, nc := newStream(t)
	config := natspubsub.DurableConfig{AckWait: time.Second}
	messages := subscribe(t, newDurable(t, stream, config), "posts")
	reasons, err := nc.SubscribeSync("$JS.EVENT.ADVISORY.CONSUMER.MSG_TERMINATED.>")
	require.NoError(t, err)
	subject, err := stream.Subject("posts")
	require.NoError(t, err)

	broken := nats.NewMsg(subject)
	broken.Header["name"] = []string{"one value", "and another"} // metadata has one value
	require.NoError(t, nc.PublishMsg(broken))
	publish(t, newPublisher(t, stream), "posts", numbered(1, 1)...)

	assert.Equal(t, "1", payload(t, messages))
	silent(t, messages, 1500*time.Millisecond)
	advisory, err := reasons.NextMsg(patience)
	require.NoError(t, err)
	assert.Contains(t, string(advisory.Data), "multiple values received in NATS header")
}

func TestDurableGivesBackAtTheEnd(t *testing.T) {
	t.Parallel()
	stream, nc := newStream(t)
	subscriber := newDurable(t, stream, natspubsub.DurableConfig{AckWait: time.Minute})
	publish(t, newPublisher(t, stream), "posts", numbered(0, 1)...)
	ctx, cancel := context.WithCancel(t.Context())
	canceled, err := subscriber.Subscribe(ctx, "posts")
	require.NoError(t, err)
	stays := subscribe(t, subscriber, "others")

	held := next(t, canceled)
	require.NoError(t, held.Context().Err())
	cancel()
	closed(t, canceled)
	require.Error(t, held.Context().Err())
	again := subscribe(t, subscriber, "posts")
	assert.Equal(t, "0", payload(t, again), "it does not wait for AckWait")
	publish(t, newPublisher(t, stream), "others", numbered(1, 1)...)
	assert.Equal(t, "1", payload(t, stays))

	require.NoError(t, subscriber.Close())
	closed(t, stays)
	closed(t, again)
	require.NoError(t, subscriber.Close())
	_, err = subscriber.Subscribe(t.Context(), "posts")
	require.ErrorIs(t, err, natspubsub.ErrClosed)
	assert.True(t, nc.IsConnected(), "the connection stays open")
}

// TestDurableRecreatesItsConsumer deletes the consumer. The new one begins with the oldest message.
func TestDurableRecreatesItsConsumer(t *testing.T) {
	t.Parallel()
	stream, nc := newStream(t)
	publisher := newPublisher(t, stream)
	messages := subscribe(t, newDurable(t, stream, natspubsub.DurableConfig{}), "posts")
	publish(t, publisher, "posts", numbered(0, 1)...)
	assert.Equal(t, "0", payload(t, messages))

	js, err := jetstream.New(nc)
	require.NoError(t, err)
	name := <-js.StreamNames(t.Context(), jetstream.WithStreamListSubject(subject(t, stream, "posts"))).Name()
	require.NoError(t, js.DeleteConsumer(t.Context(), name, "work@posts"))
	publish(t, publisher, "posts", numbered(1, 1)...)
	assert.Equal(t, "0", payload(t, messages))
	assert.Equal(t, "1", payload(t, messages))
}

// TestDurableGivesBackWhatIsOnItsWay ends subscriptions while the broker is sending. None of the messages waits for AckWait.
func TestDurableGivesBackWhatIsOnItsWay(t *testing.T) {
	t.Parallel()
	stream, _ := newStream(t)
	publisher := newPublisher(t, stream)
	config := natspubsub.DurableConfig{AckWait: time.Minute}
	const count, rounds = 20_000, 20
	var publishing sync.WaitGroup
	publishing.Go(func() {
		for first := 0; first < count; first += 20 {
			assert.NoError(t, publisher.Publish("posts", numbered(first, 20)...))
		}
	})
	defer publishing.Wait()

	seen := map[string]bool{}
	receive := func(messages <-chan *message.Message, enough int) {
		for len(seen) < enough {
			seen[payload(t, messages)] = true
		}
	}
	for range rounds {
		subscriber := newDurable(t, stream, config)
		receive(subscribe(t, subscriber, "posts"), min(len(seen)+count/rounds/2, count))
		require.NoError(t, subscriber.Close())
	}
	receive(subscribe(t, newDurable(t, stream, config), "posts"), count)
}

func TestSubscribeErrors(t *testing.T) {
	t.Parallel()
	stream, nc := newStream(t)
	missing, err := natspubsub.NewStream(nc, natspubsub.StreamConfig{Name: "missing"}, nil)
	require.NoError(t, err)
	for _, subscriber := range []message.Subscriber{newDurable(t, missing, natspubsub.DurableConfig{}), newLive(t, missing)} {
		_, err = subscriber.Subscribe(t.Context(), "posts")
		require.ErrorIs(t, err, natspubsub.ErrNoStream)
	}
	long := make([]byte, 300)
	_, err = newDurable(t, stream, natspubsub.DurableConfig{}).Subscribe(t.Context(), string(long))
	require.ErrorIs(t, err, cqrsfeed.ErrInvalid)
}
