package cqrsfeed

import (
	"fmt"

	"github.com/ThreeDotsLabs/watermill/message"
)

// RefusedError is how a publisher tells a Relay or a Projector that the broker will never take a message, whenever
// it is published again: it is too large, say, or its topic has a name that the broker cannot have. The relay then
// parks the message and goes on with the others; the projector sees to it that no poison message or update which
// is refused keeps it from going on. A failure that may pass, such as a broker that is away, must not be marked so.
//
// natspubsub's publisher marks its errors itself. For other publishers an application wraps theirs, by a
// decorator that knows the broker's errors; without one a Relay parks after MaxAttempts.
type RefusedError struct {
	// Message is the message that was refused. A publisher that was given several and cannot tell leaves it
	// nil: each is then published alone. For several refused messages, join an error for each.
	Message *message.Message
	// Reason is why. Required.
	Reason error
	// Attempts is how often the message was published alone in vain. The relay sets it when it hands the error
	// to an Outbox; publishers leave it.
	Attempts int
}

// Error says which message was refused and why.
func (e *RefusedError) Error() string {
	if e.Message == nil {
		return fmt.Sprintf("refused for good: %v", e.Reason)
	}
	return fmt.Sprintf("message %s: refused for good: %v", e.Message.UUID, e.Reason)
}

// Unwrap returns the reason.
func (e *RefusedError) Unwrap() error { return e.Reason }

// refusedIn collects the refusals in err's tree, whatever joined or wrapped them.
func refusedIn(err error) []*RefusedError {
	//nolint:errorlint // this walks the tree itself, because errors.As finds only the first
	switch e := err.(type) {
	case nil:
		return nil
	case *RefusedError:
		return []*RefusedError{e}
	case interface{ Unwrap() error }:
		return refusedIn(e.Unwrap())
	case interface{ Unwrap() []error }:
		var found []*RefusedError
		for _, child := range e.Unwrap() {
			found = append(found, refusedIn(child)...)
		}
		return found
	default:
		return nil
	}
}
