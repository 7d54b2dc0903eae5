package cqrsfeed

import (
	"fmt"

	"github.com/ThreeDotsLabs/watermill/message"
)

// RefusedError says that a message can never be published or applied, however often it is tried: it is too large, the
// broker cannot have a topic of that name, or its payload cannot be decoded. A publisher returns it to a relay, which
// parks the message. A projection returns it to a projector, which moves the message to the poison topic. Other
// messages are not held up. A failure that may pass, such as a broker that is away, must not be marked so.
//
// To refuse several messages, join an error for each.
type RefusedError struct {
	// Message is the refused one. A publisher that was given several and cannot tell which leaves it nil. Each is
	// then published alone.
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
