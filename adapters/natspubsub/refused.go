package natspubsub

import (
	"errors"
	"fmt"

	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/feedmill/feedmill/cqrsfeed"
)

// refused marks an error of one message for a outbox.Relay, if it would be the same however often the message is
// published, as long as nobody changes the stream's or the server's configuration. ErrUnknownTopic is none of these:
// it tells only what this process was configured with, and a newer release beside it may know the topic.
func refused(msg *message.Message, err error) error {
	if errors.Is(err, nats.ErrMaxPayload) || errors.Is(err, jetstream.ErrStreamMessageExceedsMaximum) {
		err = fmt.Errorf("message %s: %w: %w", msg.UUID, ErrTooLarge, err)
	}
	for _, final := range []error{ErrInvalidTopic, ErrInvalidUUID, ErrTooLarge} {
		if errors.Is(err, final) {
			return &cqrsfeed.RefusedError{Message: msg, Reason: err}
		}
	}

	return err
}

// isRefused tells such errors apart: of those, none may be left out of what Publish returns.
func isRefused(err error) bool {
	_, ok := errors.AsType[*cqrsfeed.RefusedError](err)

	return ok
}
