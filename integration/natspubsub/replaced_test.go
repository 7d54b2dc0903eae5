package natspubsub_test

import (
	"log/slog"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/ThreeDotsLabs/watermill"
	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/feedmill/feedmill/adapters/natspubsub"
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

// TestLostMessagesAreLogged checks that a subscription whose messages were removed unread says how many of its topic are
// lost, and that others say nothing.
func TestLostMessagesAreLogged(t *testing.T) {
	t.Parallel()
	b := startBroker(t)
	config := natspubsub.StreamConfig{Name: "restarts"}
	log := &lockedBuffer{}
	stream, err := natspubsub.NewStream(connect(t, b.running.ClientURL()), config, watermill.NewSlogLogger(slog.New(slog.NewTextHandler(log, nil))))
	require.NoError(t, err)
	require.NoError(t, stream.Ensure(t.Context()))
	publisher := newPublisher(t, stream)
	for topic, count := range map[string]int{"posts": 30, "busy": 200, "quiet": 1} {
		publish(t, publisher, topic, numbered(0, count)...)
		messages := subscribe(t, newDurable(t, stream, natspubsub.DurableConfig{MaxInFlight: 1}), topic)
		for held := next(t, messages); topic == "busy" && string(held.Payload) != "199"; held = next(t, messages) {
			held.Ack()
		}
	}

	other := connect(t, b.running.ClientURL())
	js, err := jetstream.New(other)
	require.NoError(t, err)
	found, err := js.Stream(t.Context(), "restarts")
	require.NoError(t, err)
	require.NoError(t, found.Purge(t.Context(), jetstream.WithPurgeSubject("restarts.posts"), jetstream.WithPurgeKeep(4)))
	require.NoError(t, found.Purge(t.Context(), jetstream.WithPurgeSubject("restarts.busy")))
	require.NotContains(t, log.String(), "lost")
	b.stop()
	b.start(t)
	require.Eventually(t, func() bool { return strings.Contains(log.String(), "at_least=25") }, patience, time.Millisecond,
		"29 were pending, and 4 are left: %s", log)
	assert.Equal(t, 1, strings.Count(log.String(), "at_least="), "%s", log)
	assert.Regexp(t, "topic=posts .*at_least=25", log.String())
}

// lockedBuffer is a log that is read while it is written.
type lockedBuffer struct {
	mu  sync.Mutex
	log strings.Builder
}

func (b *lockedBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()

	return b.log.Write(p)
}

func (b *lockedBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()

	return b.log.String()
}
