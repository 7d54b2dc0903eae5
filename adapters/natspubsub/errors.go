package natspubsub

import (
	"errors"
	"fmt"
	"strings"

	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/feedmill/feedmill/cqrsfeed"
)

// ErrClosed is returned by a publisher or a subscriber that was closed.
var ErrClosed = errors.New("closed")

// ErrNoStream is returned when no stream at the broker takes the topic. Usually [Stream.Ensure] was not called, or the
// server runs without JetStream.
var ErrNoStream = errors.New("no stream accepts the topic")

// ErrStreamConflict is returned by [Stream.Ensure] when changing the existing stream to the configuration would do
// harm, or when another stream has one of the subjects.
var ErrStreamConflict = errors.New("an existing stream conflicts with the configuration")

// ErrStreamFull is returned by Publish when the stream holds the maximum number of messages of the topic, or when the
// server or the account has no room. The error names the consumer that has not read them. Publishing again succeeds
// once there is room.
var ErrStreamFull = errors.New("the stream is full")

// The server's error codes for a message that it cannot store.
const (
	accountExceeded jetstream.ErrorCode = 10002
	noResources     jetstream.ErrorCode = 10023
	memoryExceeded  jetstream.ErrorCode = 10028
	storageExceeded jetstream.ErrorCode = 10047
	storeFailed     jetstream.ErrorCode = 10077 // the description says why
	headerTooLarge  jetstream.ErrorCode = 10097
)

// noRoom reports whether the broker refused a message because it has no room for it now.
func noRoom(err error) bool {
	answer, ok := errors.AsType[*jetstream.APIError](err)
	if !ok {
		return false
	}
	switch answer.ErrorCode {
	case accountExceeded, noResources, memoryExceeded, storageExceeded:
		return true
	case storeFailed:
		return strings.HasPrefix(answer.Description, "maximum ") && strings.HasSuffix(answer.Description, " exceeded")
	default:
		return false
	}
}

// tooLarge reports whether the message exceeds a limit of the client library or the broker.
func tooLarge(err error) bool {
	if errors.Is(err, nats.ErrMaxPayload) || errors.Is(err, jetstream.ErrStreamMessageExceedsMaximum) {
		return true
	}
	answer, ok := errors.AsType[*jetstream.APIError](err)
	return ok && (answer.ErrorCode == headerTooLarge || answer.ErrorCode == storeFailed && answer.Description == "message too large")
}

// refused wraps err in a [cqrsfeed.RefusedError] if publishing the message would fail every time, as long as the
// configuration of the stream and the server stays the same.
func refused(msg *message.Message, err error) error {
	if tooLarge(err) {
		err = fmt.Errorf("message %s: %w: %w", msg.UUID, cqrsfeed.ErrTooLarge, err)
	}
	if errors.Is(err, cqrsfeed.ErrInvalid) {
		return &cqrsfeed.RefusedError{Message: msg, Reason: err}
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
