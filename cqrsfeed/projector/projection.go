package projector

import (
	"context"

	"github.com/ThreeDotsLabs/watermill/message"
)

// Projection keeps a read model: it changes the model by what the messages tell and returns messages that
// announce what changed. People write their own; TagFeeds is the one we provide.
type Projection interface {
	// Apply must be idempotent and must not rely on order: messages come at least once, may come late,
	// and come to several workers at once; one that was applied may come once more for the Projector to see
	// whether anything is. When it returns an error nothing is acknowledged and the batch comes again, as
	// a whole or message by message, except for the messages that a RefusedError in the error's tree names:
	// those are set aside for good and the rest comes again at once. A panic is an error as any other. The
	// messages are the Projector's to acknowledge.
	//
	// What comes again must be announced again: the updates of a call that failed, or that was followed by
	// a failure to publish or by a crash, were never heard. Skip only what is older than the model.
	Apply(ctx context.Context, batch []*message.Message) (updates []*message.Message, err error)
}

// Sweeper is the optional part of a Projection that has work to do apart from messages, such as finishing
// what a crash cut off.
type Sweeper interface {
	// Sweep is called at start and every SweepInterval, never twice at once within one Projector. Updates
	// that come together with an error are published as well: what was found before the failure may not be
	// found again. While too many updates could not be published it is not called.
	Sweep(ctx context.Context) (updates []*message.Message, err error)
}

// Keys of the metadata that a message in the poison topic carries: why it is there, the topic that it came from,
// and the name of the projector. They are those of Watermill's poison queue middleware, so that its tools read
// both. A reason is cut off after some two thousand bytes.
const (
	PoisonReasonKey  = "reason_poisoned"
	PoisonTopicKey   = "topic_poisoned"
	PoisonHandlerKey = "handler_poisoned"
)

// PoisonPayloadKey is in the metadata of a message in the poison topic that is there without its payload, because
// the broker refused it with that. It holds how many bytes the payload had; the projector's log has the payload.
const PoisonPayloadKey = "payload_poisoned"
