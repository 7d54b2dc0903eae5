package natspubsub

import (
	"errors"
	"fmt"

	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/feedmill/feedmill/cqrsfeed"
)

// ErrClosed is returned by a publisher or a subscriber that was closed.
var ErrClosed = errors.New("closed")

// ErrInvalidTopic is returned for a topic that is empty or too long to be mapped to a subject or a consumer name.
var ErrInvalidTopic = errors.New("invalid topic")

// ErrInvalidUUID is returned by Publish for a message whose UUID cannot be carried in a NATS header.
var ErrInvalidUUID = errors.New("invalid message UUID")

// ErrTooLarge is returned by Publish for a message above the size limit of the broker (max_payload, 1 MiB by default)
// or of the stream. Publishing it again fails until the limit is raised. nats.ErrMaxPayload is wrapped as well when
// the client library refused the message.
var ErrTooLarge = errors.New("message is larger than the broker takes")

// ErrNoStream is returned when no stream at the broker takes the topic. Usually [Stream.Ensure] was not called, or the
// server runs without JetStream.
var ErrNoStream = errors.New("no stream takes the topic")

// ErrStreamConflict is returned by [Stream.Ensure] when the existing stream cannot be changed to the configuration, or
// when another stream has one of the subjects.
var ErrStreamConflict = errors.New("an existing stream conflicts with the configuration")

// refused wraps err in a [cqrsfeed.RefusedError] if publishing the message would fail in the same way every time, as
// long as the configuration of the stream and the server stays the same.
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

// asNoStream wraps err in [ErrNoStream] if the stream is missing.
func asNoStream(err error) error {
	if errors.Is(err, jetstream.ErrStreamNotFound) || errors.Is(err, jetstream.ErrJetStreamNotEnabled) {
		return fmt.Errorf("%w: %w", ErrNoStream, err)
	}

	return err
}
