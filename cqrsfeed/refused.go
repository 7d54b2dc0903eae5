package cqrsfeed

import (
	"fmt"

	"github.com/ThreeDotsLabs/watermill/message"
)

// RefusedError says that a message can never be published or applied, however often it is tried: it is too large, its
// topic has a name that the broker cannot have, or it cannot be decoded. Publishers return it to a relay, which parks
// the message, and projections return it to a projector, which sets the message aside; both go on with the others.
// A failure that may pass, such as a broker that is away, must not be marked so.
//
// The publisher of natspubsub marks its errors itself. For another publisher an application wraps them, by a decorator
// that knows the broker's errors.
type RefusedError struct {
	// Message is the message that is refused. A publisher that was given several and cannot tell leaves it nil:
	// each is then published alone. For several refused messages, join an error for each.
	Message *message.Message
	// Reason is why. Required.
	Reason error
	// Attempts is how often the message was published alone in vain. The relay sets it; publishers leave it.
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
