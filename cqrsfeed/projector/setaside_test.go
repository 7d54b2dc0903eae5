package projector_test

import (
	"context"
	"slices"
	"testing"

	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/stretchr/testify/require"

	"github.com/feedmill/feedmill/cqrsfeed"
	"github.com/feedmill/feedmill/cqrsfeed/projector"
	"github.com/feedmill/feedmill/internal/attempt"
)

// TestWhatFailedIsRefusedBeforeItIsSetAside, and the updates are published. While the projection cannot refuse the message, the
// message stays.
func TestWhatFailedIsRefusedBeforeItIsSetAside(t *testing.T) {
	t.Parallel()
	model, publisher := &faultyModel{fault: failsFor(nil)}, &messageRecorder{}
	lasts := 0
	projection := funcProjection(func(ctx context.Context, batch []*message.Message) ([]*message.Message, error) {
		if i := slices.IndexFunc(batch, func(msg *message.Message) bool { return msg.UUID == "bad" }); i >= 0 {
			if !attempt.IsLast(ctx) {
				return nil, &cqrsfeed.FailedError{Message: batch[i], Reason: errConstraint}
			}
			if lasts++; lasts == 1 {
				return nil, errDown
			}
			withheld := []*message.Message{message.NewMessage("withheld", nil)}
			return withheld, &cqrsfeed.RefusedError{Message: batch[i], Reason: errConstraint}
		}
		return model.Apply(ctx, batch)
	})
	config := projector.Config{Projection: projection, Publisher: publisher, MaxAttempts: 5}
	withBroker(t, config, nil, func(subscriber *handSubscriber) {
		bad := together(subscriber, "bad")[0]
		others(t, subscriber, 3)
		require.Zero(t, lasts)
		others(t, subscriber, 10)
		requireAcked(t, bad)
		require.Equal(t, 2, lasts)
		require.Equal(t, []string{"bad"}, poisonUUIDs(publisher))
		require.Contains(t, uuidsOf(publisher.on(updatesTopic)), "withheld")
	})
}
