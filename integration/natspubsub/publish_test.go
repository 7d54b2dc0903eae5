package natspubsub_test

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"

	"github.com/ThreeDotsLabs/watermill"
	watermillnats "github.com/ThreeDotsLabs/watermill-nats/v2/pkg/nats"
	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/feedmill/feedmill/adapters/natspubsub"
	"github.com/feedmill/feedmill/cqrsfeed"
	"github.com/feedmill/feedmill/cqrsfeed/limits"
	"github.com/feedmill/feedmill/cqrsfeed/projector"
	"github.com/feedmill/feedmill/integration/internal/servers"
)

func stored(t *testing.T, nc *nats.Conn, name string) uint64 {
	t.Helper()
	js, err := jetstream.New(nc)
	require.NoError(t, err)
	stream, err := js.Stream(t.Context(), name)
	require.NoError(t, err)

	return stream.CachedInfo().State.Msgs
}

func TestPublishDeduplicates(t *testing.T) {
	t.Parallel()
	nc := connect(t, servers.NATS(t))
	name := "s-" + watermill.NewShortUUID()
	publisher := newPublisher(t, ensure(t, nc, natspubsub.StreamConfig{Name: name}))
	batch := numbered(0, 100)

	publish(t, publisher, "posts", batch[:60]...) // the relay dies here
	publish(t, publisher, "posts", batch...)      // and publishes the batch again
	assert.Equal(t, uint64(100), stored(t, nc, name))

	publish(t, publisher, "poison", batch[0].Copy())
	assert.Equal(t, uint64(101), stored(t, nc, name), "the same UUID in another topic is another message")
}

func TestPublishErrors(t *testing.T) {
	t.Parallel()
	nc := connect(t, servers.NATS(t))
	stream := ensure(t, nc, natspubsub.StreamConfig{Name: "s-" + watermill.NewShortUUID()})
	publisher := newPublisher(t, stream)

	require.ErrorIs(t, publisher.Publish("", numbered(0, 1)...), cqrsfeed.ErrInvalid)
	require.ErrorIs(t, publisher.Publish("posts", message.NewMessage("a\nb", nil)), cqrsfeed.ErrInvalid)
	require.NoError(t, publisher.Publish("posts"), "no messages")

	large := message.NewMessage(watermill.NewUUID(), bytes.Repeat([]byte("x"), int(nc.MaxPayload())+1))
	batch := append(numbered(0, 3), large, message.NewMessage(watermill.NewUUID(), nil))
	err := publisher.Publish("posts", batch...)
	require.ErrorIs(t, err, cqrsfeed.ErrTooLarge)
	require.ErrorIs(t, err, nats.ErrMaxPayload)
	require.ErrorContains(t, err, "2 of 5 messages failed")
	require.ErrorContains(t, err, large.UUID)

	missing, err := natspubsub.NewStream(nc, natspubsub.StreamConfig{Name: "missing-" + watermill.NewShortUUID()}, nil)
	require.NoError(t, err)
	err = newPublisher(t, missing).Publish("posts", numbered(0, 7)...)
	require.ErrorIs(t, err, natspubsub.ErrNoStream)
	require.ErrorContains(t, err, "7 of 7 messages failed")

	require.NoError(t, publisher.Close())
	require.NoError(t, publisher.Close())
	require.ErrorIs(t, publisher.Publish("posts", numbered(0, 1)...), natspubsub.ErrClosed)
}

// TestPublishAboveTheLimitOfTheStream sets a limit for the stream that is below the broker's.
func TestPublishAboveTheLimitOfTheStream(t *testing.T) {
	t.Parallel()
	nc := connect(t, servers.NATS(t))
	name := "s-" + watermill.NewShortUUID()
	js, err := jetstream.New(nc)
	require.NoError(t, err)
	_, err = js.CreateStream(t.Context(), jetstream.StreamConfig{Name: name, Subjects: []string{name + ".>"}, MaxMsgSize: 1000})
	require.NoError(t, err)
	publisher := newPublisher(t, ensure(t, nc, natspubsub.StreamConfig{Name: name}))

	large := message.NewMessage(watermill.NewUUID(), make([]byte, 1000))
	err = publisher.Publish("posts", append(numbered(0, 3), large)...)
	require.ErrorIs(t, err, cqrsfeed.ErrTooLarge)
	require.ErrorContains(t, err, "1 of 4 messages failed")
	require.ErrorContains(t, err, large.UUID)
	assert.Equal(t, uint64(3), stored(t, nc, name))
}

func TestPublishExpectsItsStream(t *testing.T) {
	t.Parallel()
	nc := connect(t, servers.NATS(t))
	prefix := "p-" + watermill.NewShortUUID()
	ensure(t, nc, natspubsub.StreamConfig{Name: "s-" + watermill.NewShortUUID(), SubjectPrefix: prefix})
	other, err := natspubsub.NewStream(nc, natspubsub.StreamConfig{Name: "s-" + watermill.NewShortUUID(), SubjectPrefix: prefix}, nil)
	require.NoError(t, err)

	require.ErrorContains(t, newPublisher(t, other).Publish("posts", numbered(0, 1)...), "expected stream does not match")
}

func TestMessagesArriveUnchanged(t *testing.T) {
	t.Parallel()
	stream, _ := newStream(t)
	publisher := newPublisher(t, stream)
	messages := subscribe(t, newDurable(t, stream, natspubsub.DurableConfig{}), "posts")

	for _, metadata := range []message.Metadata{
		{},
		{"name": "value", "Content-Type": "application/json", "empty": ""},
		{"lines": "first\r\nsecond\n", "spaces": "  around  ", "key with space": "x", "a:b": "c", "schlüssel": "größe"},
		{"Status": "404", "Description": "a message, not the broker's answer", "Nats-Msg-Id": "theirs"},
	} {
		for _, payload := range [][]byte{{}, []byte("x"), {0, '\r', '\n', 0xff}} {
			sent := message.NewMessage(watermill.NewUUID(), payload)
			sent.Metadata = metadata
			publish(t, publisher, "posts", sent)
			got := next(t, messages)
			got.Ack()
			assert.True(t, sent.Equals(got), "sent %+v, got %+v", sent, got)
		}
	}
}

func TestWireFormIsThatOfWatermillNATS(t *testing.T) {
	t.Parallel()
	stream, nc := newStream(t)
	subject, err := stream.Subject("post.created")
	require.NoError(t, err)
	messages := subscribe(t, newDurable(t, stream, natspubsub.DurableConfig{}), "post.created")
	plain, err := nc.SubscribeSync(subject)
	require.NoError(t, err)
	marshaler := &watermillnats.NATSMarshaler{}

	ours := message.NewMessage(watermill.NewUUID(), []byte("ours"))
	ours.Metadata.Set("name", "value")
	publish(t, newPublisher(t, stream), "post.created", ours)
	in, err := plain.NextMsg(patience)
	require.NoError(t, err)
	read, err := marshaler.Unmarshal(in)
	require.NoError(t, err)
	assert.True(t, ours.Equals(read), "%+v", read)
	assert.True(t, ours.Equals(next(t, messages)))

	theirs := message.NewMessage(watermill.NewUUID(), []byte("theirs"))
	out, err := marshaler.Marshal(subject, theirs)
	require.NoError(t, err)
	require.NoError(t, nc.PublishMsg(out))
	assert.True(t, theirs.Equals(next(t, messages)))

	require.NoError(t, nc.Publish(subject, []byte("not of Watermill")))
	foreign := next(t, messages)
	assert.Equal(t, "not of Watermill", string(foreign.Payload))
	assert.NotEmpty(t, foreign.UUID)
}

// TestTheLargestEventFits: what a store accepts by default, the broker takes, also with the reason of a poison topic.
func TestTheLargestEventFits(t *testing.T) {
	t.Parallel()
	nc := connect(t, servers.NATS(t))
	name := "s-" + watermill.NewShortUUID()
	publisher := newPublisher(t, ensure(t, nc, natspubsub.StreamConfig{Name: name}))
	event, err := cqrsfeed.NewMessage("ItemCreated", struct{}{})
	require.NoError(t, err)
	event.Metadata.Set("traceparent", "00-01020000000000000000000000000000-0304000000000000-01")
	event.Payload = bytes.Repeat([]byte("x"), limits.DefaultEventBytes)
	publish(t, publisher, "posts", event)
	poisoned := event.Copy()
	poisoned.Metadata.Set(projector.PoisonReasonKey, strings.Repeat("ä", 1000))
	publish(t, publisher, "poison", poisoned)
	assert.Equal(t, uint64(2), stored(t, nc, name))
}

// TestTheMostMetadataFits: what a store accepts, the broker takes, and its poison topic too, also what has to be escaped.
func TestTheMostMetadataFits(t *testing.T) {
	t.Parallel()
	nc := connect(t, servers.NATS(t))
	name := "s-" + watermill.NewShortUUID()
	publisher := newPublisher(t, ensure(t, nc, natspubsub.StreamConfig{Name: name}))
	for _, end := range []string{"", "\n"} {
		event := message.NewMessage(watermill.NewUUID(), nil)
		for i := range 100 {
			event.Metadata.Set(strings.Repeat("k", 10+i), strings.Repeat("é", limits.MaxMetadataBytes/100/2-40)+end)
		}
		encoded, err := json.Marshal(event.Metadata)
		require.NoError(t, err)
		rest := limits.MaxMetadataBytes - len(encoded) - len(`,"rest":"\n"`)
		event.Metadata.Set("rest", strings.Repeat("é", rest/2)+end)
		event.Payload = bytes.Repeat([]byte("x"), limits.DefaultEventBytes-limits.MaxMetadataBytes)
		publish(t, publisher, "posts", event)
		poisoned := event.Copy()
		poisoned.Metadata.Set(projector.PoisonReasonKey, strings.Repeat("ä", 1000-len(end))+end)
		publish(t, publisher, "poison", poisoned)
	}
	assert.Equal(t, uint64(4), stored(t, nc, name))
}
