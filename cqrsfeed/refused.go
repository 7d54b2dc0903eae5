package cqrsfeed

import (
	"context"
	"errors"
	"fmt"

	"github.com/ThreeDotsLabs/watermill/message"

	"github.com/feedmill/feedmill/internal/attempt"
)

// RefusedError means that a message can never be published or applied: it is too large, its topic is invalid for the
// broker, or its payload cannot be decoded. A publisher returns it to a relay, which parks the message. A projection
// returns it to a projector, which moves the message to the poison topic. Other messages go on. A failure that may pass,
// such as a broker that is away, must not be a RefusedError.
//
// To refuse several messages, join an error for each.
type RefusedError struct {
	// Message is the refused message. A publisher that was given several messages and does not know which one is refused
	// leaves it nil. Each message is then published alone.
	Message *message.Message
	// Reason is why. Required.
	Reason error
}

// Error returns which message was refused and why.
func (e *RefusedError) Error() string {
	if e.Message == nil {
		return fmt.Sprintf("refused for good: %v", e.Reason)
	}
	return fmt.Sprintf("message %s: refused for good: %v", e.Message.UUID, e.Reason)
}

// Unwrap returns the reason.
func (e *RefusedError) Unwrap() error { return e.Reason }

// FailedError means that one message of a batch could not be applied now. A later attempt, or another release of the
// application, may apply it. A projection returns it to a projector, which applies the rest of the batch without it. The
// message is tried again, and is set aside like any other that keeps failing.
//
// If several messages fail, join an error for each.
type FailedError struct {
	// Message is the failed message. Required.
	Message *message.Message
	// Reason is why. Required.
	Reason error
}

// Error returns which message failed and why.
func (e *FailedError) Error() string { return fmt.Sprintf("message %s: %v", e.Message.UUID, e.Reason) }

// Unwrap returns the reason.
func (e *FailedError) Unwrap() error { return e.Reason }

// LeaveOut returns the error that a projection returns for a message that it cannot decode. reason is the error of
// DecodeItem. The result is a FailedError if only the body cannot be decoded (UndecodableError), and else a RefusedError.
//
// After a FailedError the message is applied again. The ctx of the last attempt, before a projector or a relay sets the
// message aside, makes LeaveOut return a RefusedError for an UndecodableError too. Before the projection returns that, it
// removes what it has of earlier versions of UndecodableError.Item.
func LeaveOut(ctx context.Context, msg *message.Message, reason error) error {
	if _, undecodable := errors.AsType[*UndecodableError](reason); undecodable && !attempt.IsLast(ctx) {
		return &FailedError{Message: msg, Reason: reason}
	}
	return &RefusedError{Message: msg, Reason: reason}
}
