package natspubsub_test

import (
	"strings"
	"testing"

	"github.com/ThreeDotsLabs/watermill"
	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/feedmill/feedmill/adapters/natspubsub"
	"github.com/feedmill/feedmill/cqrsfeed"
	"github.com/feedmill/feedmill/cqrsfeed/driver"
)

// TestMetadataNamedLikeBrokerHeaders publishes metadata that would be instructions to the broker. It must arrive as it is.
func TestMetadataNamedLikeBrokerHeaders(t *testing.T) {
	t.Parallel()
	stream, _ := newStream(t)
	publisher := newPublisher(t, stream)
	work, live := subscribe(t, newDurable(t, stream, natspubsub.DurableConfig{}), "posts"), subscribe(t, newLive(t, stream), "posts")
	for _, name := range []string{
		"Nats-TTL", "nats-ttl", "Nats-Rollup", "Nats-Msg-Id", "Nats-Expected-Stream", "Nats-Expected-Last-Sequence",
		"Nats-Expected-Last-Subject-Sequence", "Nats-Expected-Last-Msg-Id", "Nats-Incr", "Nats-Schedule", "Nats-Batch-Id",
		"Nats-Required-Api-Level", "Status", "Description",
	} {
		for _, data := range [][]byte{nil, []byte("x")} {
			sent := message.NewMessage(watermill.NewUUID(), data)
			sent.Metadata.Set(name, "503")
			publish(t, publisher, "posts", sent)
			for _, messages := range []<-chan *message.Message{work, live} {
				got := next(t, messages)
				got.Ack()
				assert.True(t, sent.Equals(got), "%s: sent %+v, got %+v", name, sent, got)
			}
		}
	}
}

// TestBrokerHeadersOfStrangers receives messages of a publisher that uses headers of NATS, and passes them on to a second
// topic, as a projector does with poison.
func TestBrokerHeadersOfStrangers(t *testing.T) {
	t.Parallel()
	stream, nc := newStream(t)
	js, err := jetstream.New(nc)
	require.NoError(t, err)
	messages := subscribe(t, newDurable(t, stream, natspubsub.DurableConfig{}), "posts")
	passedOn := subscribe(t, newDurable(t, stream, natspubsub.DurableConfig{}), "poison")
	strange := nats.NewMsg(subject(t, stream, "posts"))
	strange.Data = []byte("x")
	for name, value := range map[string]string{
		"Nats-Msg-Id": "theirs", "Nats-Expected-Last-Subject-Sequence": "0", "Status": "503", "Nats-Future": "yes",
	} {
		strange.Header.Set(name, value)
	}
	_, err = js.PublishMsg(t.Context(), strange)
	require.NoError(t, err)

	got := next(t, messages)
	assert.Equal(t, "theirs", got.UUID)
	assert.Equal(t, "503", got.Metadata.Get("Status"))
	assert.Equal(t, "yes", got.Metadata.Get("Nats-Future"))
	publish(t, newPublisher(t, stream), "poison", got.Copy(), got.Copy())
	got.Ack()
	again := next(t, passedOn)
	assert.True(t, got.Equals(again), "got %+v, then %+v", got, again)
	again.Ack()
}

// TestTooMuchMetadata is refused by the message, so that a relay parks it and goes on.
func TestTooMuchMetadata(t *testing.T) {
	t.Parallel()
	stream, _ := newStream(t)
	batch := numbered(0, 2)
	batch[0].Metadata.Set("large", strings.Repeat("x", 1<<16))
	err := newPublisher(t, stream).Publish("posts", batch...)
	require.ErrorIs(t, err, cqrsfeed.ErrTooLarge)
	refusals := driver.Refusals(err)
	require.Len(t, refusals, 1)
	assert.Equal(t, batch[0], refusals[0].Message)
}
