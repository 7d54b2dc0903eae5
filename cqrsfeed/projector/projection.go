package projector

import (
	"context"

	"github.com/ThreeDotsLabs/watermill/message"
)

// Projection applies messages to a read model. It returns updates: messages that say what changed. cqrsfeed.TagFeeds is one;
// applications write their own.
type Projection interface {
	// Apply applies a batch and returns the updates. It must be idempotent, must not rely on order, and must be safe for
	// concurrent use: messages are delivered at least once, may be late, and go to several workers at once. It must return
	// when ctx ends. It must not acknowledge messages.
	//
	// After an error or a panic all messages are applied again, together or alone. There are two exceptions. A message that
	// a cqrsfeed.RefusedError in the error's tree names can never be applied and is set aside, after the updates beside the
	// error are published. A refusal without a Message refers to the only message of the batch. A message that a
	// cqrsfeed.FailedError names is left out for a while, and the others are applied again at once. The ctx of its last
	// attempt, before it is set aside, is known to cqrsfeed.LeaveOut.
	//
	// Apply must return the updates of a repeated message again, because those of the first time may never have been
	// published. It may skip only messages that are older than the model.
	Apply(ctx context.Context, batch []*message.Message) (updates []*message.Message, err error)

	// Sweep does work that no message triggers, such as counts that Apply deferred. Embed NoSweep if there is none. Sweep
	// is called when Run begins and every SweepInterval, never twice at once. Its updates are published, also those beside
	// an error. While they cannot be published, Sweep is not called.
	Sweep(ctx context.Context) (updates []*message.Message, err error)
}

// NoSweep is embedded by a Projection whose Sweep does nothing.
type NoSweep struct{}

// Sweep does nothing.
func (NoSweep) Sweep(context.Context) ([]*message.Message, error) { return nil, nil }
