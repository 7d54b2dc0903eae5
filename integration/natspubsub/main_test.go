package natspubsub_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/ThreeDotsLabs/watermill"
	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/nats-io/nats.go"
	"github.com/stretchr/testify/require"

	"github.com/feedmill/feedmill/adapters/natspubsub"
	"github.com/feedmill/feedmill/integration/internal/servers"
)

// patience is how long a test waits for a condition.
const patience = time.Minute

func TestMain(m *testing.M) { servers.Main(m) }

// connect returns a connection to the server, for the test alone.
func connect(tb testing.TB, url string, options ...nats.Option) *nats.Conn {
	tb.Helper()
	nc, err := nats.Connect(url, append(options,
		nats.MaxReconnects(-1), nats.ReconnectWait(20*time.Millisecond), nats.ReconnectJitter(0, 0))...)
	require.NoError(tb, err)
	tb.Cleanup(nc.Close)

	return nc
}

// newStream creates a stream on the shared server.
func newStream(t *testing.T) (*natspubsub.Stream, *nats.Conn) {
	t.Helper()
	nc := connect(t, servers.NATS(t))
	stream := ensure(t, nc, natspubsub.StreamConfig{Name: "s-" + watermill.NewShortUUID()})

	return stream, nc
}

func ensure(tb testing.TB, nc *nats.Conn, config natspubsub.StreamConfig) *natspubsub.Stream {
	tb.Helper()
	stream, err := natspubsub.NewStream(nc, config, watermill.NopLogger{})
	require.NoError(tb, err)
	require.NoError(tb, stream.Ensure(tb.Context()))

	return stream
}

func newPublisher(tb testing.TB, stream *natspubsub.Stream) *natspubsub.Publisher {
	tb.Helper()
	publisher, err := stream.NewPublisher(natspubsub.PublisherConfig{})
	require.NoError(tb, err)
	tb.Cleanup(func() { require.NoError(tb, publisher.Close()) })

	return publisher
}

func newDurable(tb testing.TB, stream *natspubsub.Stream, config natspubsub.DurableConfig) *natspubsub.DurableSubscriber {
	tb.Helper()
	if config.Name == "" {
		config.Name = "work"
	}
	subscriber, err := stream.NewDurableSubscriber(config)
	require.NoError(tb, err)
	tb.Cleanup(func() { require.NoError(tb, subscriber.Close()) })

	return subscriber
}

func newLive(tb testing.TB, stream *natspubsub.Stream) *natspubsub.LiveSubscriber {
	tb.Helper()
	subscriber := stream.NewLiveSubscriber()
	tb.Cleanup(func() { require.NoError(tb, subscriber.Close()) })

	return subscriber
}

// subscribe subscribes for as long as the test runs.
func subscribe(tb testing.TB, subscriber message.Subscriber, topic string) <-chan *message.Message {
	tb.Helper()
	messages, err := subscriber.Subscribe(context.WithoutCancel(tb.Context()), topic)
	require.NoError(tb, err)

	return messages
}

// numbered returns messages whose payloads count from first.
func numbered(first, count int) []*message.Message {
	messages := make([]*message.Message, count)
	for i := range messages {
		messages[i] = message.NewMessage(watermill.NewUUID(), fmt.Appendf(nil, "%d", first+i))
	}

	return messages
}

func publish(tb testing.TB, publisher message.Publisher, topic string, messages ...*message.Message) {
	tb.Helper()
	require.NoError(tb, publisher.Publish(topic, messages...))
}

// next requires a message and returns it.
func next(tb testing.TB, messages <-chan *message.Message) *message.Message {
	tb.Helper()
	select {
	case msg, open := <-messages:
		require.True(tb, open, "the channel was closed")

		return msg
	case <-time.After(patience):
		require.Fail(tb, "no message came")

		return nil
	}
}

// payload requires a message, acknowledges it and returns its payload.
func payload(tb testing.TB, messages <-chan *message.Message) string {
	tb.Helper()
	msg := next(tb, messages)
	msg.Ack()

	return string(msg.Payload)
}

// silent requires that no message is delivered for a while.
func silent(tb testing.TB, messages <-chan *message.Message, while time.Duration) {
	tb.Helper()
	select {
	case msg, open := <-messages:
		require.True(tb, open, "the channel was closed")
		require.Fail(tb, "a message came", "%s %q", msg.UUID, msg.Payload)
	case <-time.After(while):
	}
}

// closed requires that the channel is closed. It acknowledges messages that are delivered before.
func closed(tb testing.TB, messages <-chan *message.Message) {
	tb.Helper()
	deadline := time.After(patience)
	for {
		select {
		case msg, open := <-messages:
			if !open {
				return
			}
			msg.Ack()
		case <-deadline:
			require.Fail(tb, "the channel was not closed")
		}
	}
}
