package projector

import (
	"context"

	"github.com/ThreeDotsLabs/watermill/message"
)

// Projection keeps a read model. It changes the model by messages and returns updates, messages that tell what changed.
// cqrsfeed.TagFeeds is one; applications write their own.
type Projection interface {
	// Apply must be idempotent, must not rely on order, and must be safe for concurrent use. Messages are delivered at
	// least once, may be late, and come to several workers at once. It ends with ctx. It must not acknowledge messages.
	//
	// After an error or a panic all messages come again, together or alone, except those that a cqrsfeed.RefusedError in
	// the error's tree names: those can never be applied, and are set aside. A refusal without a Message is of the only
	// message of the batch.
	//
	// A message that comes again must return its updates again: after a failure, or a crash, those of the first time were
	// never published. Only what is older than the model may be skipped.
	Apply(ctx context.Context, batch []*message.Message) (updates []*message.Message, err error)

	// Sweep does work apart from messages, such as counting what Apply has left. Embed NoSweep if there is none. It is called
	// when Run begins and every SweepInterval, never twice at once. Updates that it returns are published, also those
	// beside an error. While they cannot be, Sweep is not called.
	Sweep(ctx context.Context) (updates []*message.Message, err error)
}

// NoSweep is embedded by a Projection that has no work apart from messages.
type NoSweep struct{}

// Sweep does nothing.
func (NoSweep) Sweep(context.Context) ([]*message.Message, error) { return nil, nil }
