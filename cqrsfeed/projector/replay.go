package projector

import (
	"context"
	"fmt"
	"maps"
	"time"

	"github.com/ThreeDotsLabs/watermill"
	"github.com/ThreeDotsLabs/watermill/message"

	"github.com/feedmill/feedmill/cqrsfeed"
)

// PoisonQueue is a poison topic that operators can look through. It needs a broker that keeps messages without a
// subscriber, shows them in any order and deletes single ones: natspubsub.Stream has one. All methods are safe for
// concurrent use.
type PoisonQueue interface {
	// Poisoned returns up to limit messages after the one with the ID after, oldest first, and fewer when their payloads
	// reach limits.MaxBatchBytes. Repeated with the last ID of each result, starting from "", until a result is empty, it
	// visits all. Limits are those of driver.PageLimit.
	Poisoned(ctx context.Context, after string, limit int) ([]PoisonedMessage, error)
	// Lookup returns the message with an ID, and whether there is one. Its cost does not grow with the topic.
	Lookup(ctx context.Context, id string) (PoisonedMessage, bool, error)
	// Remove deletes messages for good and returns the IDs of those that it deleted, also beside an error. It ignores IDs
	// of other messages.
	Remove(ctx context.Context, ids ...string) (removed []string, err error)
}

// PoisonedMessage is a message of a poison topic.
type PoisonedMessage struct {
	// ID is the broker's ID of the message in the poison topic.
	ID      string
	Message *message.Message
	// SetAside is when the poison topic received it, by the broker's clock.
	SetAside time.Time
}

// Replay publishes a message of a poison topic again, to the topic that it came from. It has a new UUID, since a broker may
// drop a repeated one. All projections of that topic receive it. Replay returns cqrsfeed.ErrInvalid for a message whose
// payload the poison topic refused, and for one that no projector has set aside.
//
// Acknowledge or remove the message afterwards. A crash in between replays it twice, which does no harm.
func Replay(publisher message.Publisher, poisoned *message.Message) error {
	topic := poisoned.Metadata.Get(PoisonTopicKey)
	switch {
	case topic == "":
		return fmt.Errorf("replay message %s: %w: its metadata lacks %s, the topic that it came from", poisoned.UUID, cqrsfeed.ErrInvalid, PoisonTopicKey)
	case poisoned.Metadata.Get(PoisonPayloadKey) != "":
		return fmt.Errorf("replay message %s: %w: its payload was refused and is only in the projector's log; rebuild or audit the read model",
			poisoned.UUID, cqrsfeed.ErrInvalid)
	}
	again := message.NewMessage(watermill.NewUUID(), poisoned.Payload)
	maps.Copy(again.Metadata, poisoned.Metadata)
	for _, key := range []string{PoisonReasonKey, PoisonTopicKey, PoisonHandlerKey} {
		delete(again.Metadata, key)
	}
	if err := publisher.Publish(topic, again); err != nil {
		return fmt.Errorf("replay message %s to topic %q: %w", poisoned.UUID, topic, err)
	}
	return nil
}
