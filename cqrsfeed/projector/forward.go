package projector

import (
	"context"
	"maps"

	"github.com/ThreeDotsLabs/watermill"
	"github.com/ThreeDotsLabs/watermill/message"
)

// Forward returns a projection that applies with p. Its updates are the messages that were applied, with new UUIDs, and the
// updates of p. Streams that follow its UpdatesTopic receive an event once the read model has it. It is for projections
// without updates of their own, such as those on the application's tables.
func Forward(p Projection) Projection { return forwarding{p} }

type forwarding struct{ Projection }

// Apply implements Projection.
func (f forwarding) Apply(ctx context.Context, batch []*message.Message) ([]*message.Message, error) {
	updates, err := f.Projection.Apply(ctx, batch)
	if err != nil {
		return updates, err
	}
	for _, msg := range batch {
		// A broker may drop a repeated UUID.
		update := message.NewMessage(watermill.NewUUID(), msg.Payload)
		update.Metadata = maps.Clone(msg.Metadata)
		updates = append(updates, update)
	}
	return updates, nil
}
