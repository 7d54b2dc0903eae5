package projector_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/stretchr/testify/require"

	"github.com/feedmill/feedmill/cqrsfeed/projector"
)

// own is a projection that returns an update of its own, or fails.
type own struct {
	projector.NoSweep

	err error
}

func (o own) Apply(context.Context, []*message.Message) ([]*message.Message, error) {
	return []*message.Message{message.NewMessage("own", nil)}, o.err
}

func TestForwardedMessagesFollowTheProjectionsOwn(t *testing.T) {
	t.Parallel()
	first, second := message.NewMessage("1", []byte("one")), message.NewMessage("2", []byte("two"))
	first.Metadata.Set("name", "First")
	updates, err := projector.Forward(own{}).Apply(t.Context(), []*message.Message{first, second})
	require.NoError(t, err)
	require.Len(t, updates, 3)
	require.Equal(t, "own", updates[0].UUID)
	for i, msg := range []*message.Message{first, second} {
		update := updates[i+1]
		require.Equal(t, msg.Payload, update.Payload)
		require.Equal(t, msg.Metadata, update.Metadata)
		require.NotEqual(t, msg.UUID, update.UUID, "a broker would take it for a repetition")
	}
	updates[1].Metadata.Set("name", "another")
	require.Equal(t, "First", first.Metadata.Get("name"))
}

func TestAMessageWithoutMetadataIsForwarded(t *testing.T) {
	t.Parallel()
	broker := &messageRecorder{}
	config := projector.Config{Projection: projector.Forward(own{}), Publisher: broker}
	withBroker(t, config, nil, func(subscriber *handSubscriber) {
		bare := message.NewMessage("1", nil)
		bare.Metadata = nil
		subscriber.topics["in"] <- bare
		elapse(time.Second)
		requireAcked(t, bare)
		require.Len(t, broker.on(updatesTopic), 2)
	})
}

func TestNothingIsForwardedBeforeItIsApplied(t *testing.T) {
	t.Parallel()
	failure := errors.New("the store is away")
	updates, err := projector.Forward(own{err: failure}).Apply(t.Context(), []*message.Message{message.NewMessage("1", nil)})
	require.ErrorIs(t, err, failure)
	require.Len(t, updates, 1)
}
