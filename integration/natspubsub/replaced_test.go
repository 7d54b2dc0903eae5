package natspubsub_test

import (
	"os"
	"sync/atomic"
	"testing"
	"time"

	"github.com/ThreeDotsLabs/watermill"
	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/feedmill/feedmill/adapters/natspubsub"
	"github.com/feedmill/feedmill/integration/internal/servers"
)

// TestStreamIsCreatedAgain deletes and creates the stream, which then begins with sequence 1 again, while old messages are
// being handled. The acknowledgements of the old messages must not reach the new ones.
func TestStreamIsCreatedAgain(t *testing.T) {
	t.Parallel()
	stream, nc := newStream(t)
	publisher := newPublisher(t, stream)
	messages := subscribe(t, newDurable(t, stream, natspubsub.DurableConfig{}), "posts")
	publish(t, publisher, "posts", numbered(0, 2)...)
	old := []*message.Message{next(t, messages), next(t, messages)}

	js, err := jetstream.New(nc)
	require.NoError(t, err)
	names := js.StreamNames(t.Context(), jetstream.WithStreamListSubject(subject(t, stream, "posts")))
	require.NoError(t, js.DeleteStream(t.Context(), <-names.Name()))
	require.NoError(t, stream.Ensure(t.Context()))
	waitFor(t, old[1].Context().Done()) // no other message has its sequence yet
	publish(t, publisher, "posts", numbered(2, 1)...)
	theNewIsSeen(t, messages, publisher, old, "2")
}

// TestStreamLostItsEnd restores an older state of the stream, as after a power failure. It assigns the sequences anew.
func TestStreamLostItsEnd(t *testing.T) {
	t.Parallel()
	b := startBroker(t)
	config := natspubsub.StreamConfig{Name: "restarts"}
	setup := connect(t, b.running.ClientURL())
	publish(t, newPublisher(t, ensure(t, setup, config)), "posts", numbered(0, 1)...)
	var away atomic.Bool
	stream := ensure(t, connectUnless(t, b, &away), config)
	messages := subscribe(t, newDurable(t, stream, natspubsub.DurableConfig{}), "posts")
	assert.Equal(t, "0", payload(t, messages))
	backup := t.TempDir()
	b.stop()
	require.NoError(t, os.CopyFS(backup, os.DirFS(b.options.StoreDir)))
	b.start(t)
	publish(t, newPublisher(t, ensure(t, connect(t, b.running.ClientURL()), config)), "posts", numbered(1, 1)...)
	old := next(t, messages)
	for string(old.Payload) == "0" { // its acknowledgement may have been lost
		old.Ack()
		old = next(t, messages)
	}

	away.Store(true)
	b.stop()
	b.options.StoreDir = t.TempDir()
	require.NoError(t, os.CopyFS(b.options.StoreDir, os.DirFS(backup)))
	b.start(t)
	publisher := newPublisher(t, ensure(t, connect(t, b.running.ClientURL()), config))
	publish(t, publisher, "posts", numbered(2, 1)...)
	away.Store(false)
	theNewIsSeen(t, messages, publisher, []*message.Message{old}, "2")
}

// theNewIsSeen requires a message that has the sequence of an old one and is not acknowledged by it.
func theNewIsSeen(t *testing.T, messages <-chan *message.Message, publisher message.Publisher, old []*message.Message, seen string) {
	t.Helper()
	came := next(t, messages)
	for string(came.Payload) == "0" {
		came.Ack()
		came = next(t, messages)
	}
	require.Equal(t, seen, string(came.Payload))
	for _, msg := range old {
		waitFor(t, msg.Context().Done())
		msg.Ack()
	}
	publish(t, publisher, "posts", numbered(3, 1)...)
	assert.Equal(t, "3", payload(t, messages)) // the acknowledgements of the old ones have arrived
	came.Nack()
	assert.Equal(t, seen, payload(t, messages), "it is delivered again, as it was not acknowledged")
}

func waitFor(t *testing.T, done <-chan struct{}) {
	t.Helper()
	require.Eventually(t, func() bool {
		select {
		case <-done:
			return true
		default:
			return false
		}
	}, patience, time.Millisecond)
}

func subject(t *testing.T, stream *natspubsub.Stream, topic string) string {
	t.Helper()
	subject, err := stream.Subject(topic)
	require.NoError(t, err)

	return subject
}

// TestDiscardedUnreadIsLogged checks that a durable subscription that resumes logs what the stream's limits have discarded
// unread. A new one logs nothing.
func TestDiscardedUnreadIsLogged(t *testing.T) {
	t.Parallel()
	nc := connect(t, servers.NATS(t))
	logger := watermill.NewCaptureLogger()
	stream, err := natspubsub.NewStream(nc, natspubsub.StreamConfig{Name: "s-" + watermill.NewShortUUID(), MaxBytes: 20_000}, logger)
	require.NoError(t, err)
	require.NoError(t, stream.Ensure(t.Context()))
	publisher := newPublisher(t, stream)
	discarded := func() []watermill.CapturedMessage {
		var found []watermill.CapturedMessage
		for _, m := range logger.Captured()[watermill.ErrorLogLevel] {
			if m.Fields["at_most"] != nil {
				found = append(found, m)
			}
		}

		return found
	}
	fill := func() {
		for range 50 {
			publish(t, publisher, "posts", message.NewMessage("", make([]byte, 1000)))
		}
	}
	work := func() (*natspubsub.DurableSubscriber, <-chan *message.Message) {
		subscriber := newDurable(t, stream, natspubsub.DurableConfig{})

		return subscriber, subscribe(t, subscriber, "posts")
	}

	fill()
	subscriber, messages := work()
	assert.Empty(t, discarded(), "a new one begins at the beginning of the stream")
	backlog := func() int64 {
		n, err := subscriber.Backlog(t.Context(), "posts")
		require.NoError(t, err)

		return n
	}
	for range backlog() {
		payload(t, messages)
	}
	require.Eventually(t, func() bool { return backlog() == 0 }, patience, time.Millisecond)
	require.NoError(t, subscriber.Close())
	subscriber, _ = work()
	assert.Empty(t, discarded())
	require.NoError(t, subscriber.Close())

	fill()
	_, messages = work()
	payload(t, messages)
	require.Len(t, discarded(), 1)
	lost, ok := discarded()[0].Fields["at_most"].(uint64)
	require.True(t, ok)
	assert.InDelta(t, 35, lost, 10, "of fifty that were published, those that did not fit into MaxBytes")
}
