package natspubsub

import (
	"errors"
	"fmt"
	"testing"

	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/feedmill/feedmill/cqrsfeed"
)

// TestRefused: a message with a temporary error must not be parked.
func TestRefused(t *testing.T) {
	t.Parallel()
	msg := message.NewMessage("m", nil)
	for _, final := range []error{
		cqrsfeed.ErrInvalid, nats.ErrMaxPayload, jetstream.ErrStreamMessageExceedsMaximum,
		&jetstream.APIError{Code: 400, ErrorCode: jetstream.JSErrCodeStreamMessageExceedsMaximum},
	} {
		err := refused(msg, fmt.Errorf("message m: %w", final))
		refusal, ok := errors.AsType[*cqrsfeed.RefusedError](err)
		require.True(t, ok, "%v", final)
		assert.Same(t, msg, refusal.Message)
		require.ErrorIs(t, err, final)
	}
	for _, passing := range []error{
		ErrClosed, ErrNoStream, nats.ErrTimeout, nats.ErrConnectionClosed, nats.ErrNoResponders, jetstream.ErrNoStreamResponse,
		jetstream.ErrStreamNotFound, jetstream.ErrTooManyStalledMsgs, &jetstream.APIError{Code: 503, ErrorCode: 10077}, errors.New("anything else"),
	} {
		assert.Equal(t, passing, refused(msg, passing))
	}
}

// TestJoinReasonsNamesEveryRefusedMessage, however many there are, and the first of the other errors.
func TestJoinReasonsNamesEveryRefusedMessage(t *testing.T) {
	t.Parallel()
	var reasons []error
	for i := range 10 {
		reasons = append(reasons, fmt.Errorf("reason %d", i), refused(message.NewMessage("same", nil), nats.ErrMaxPayload))
	}
	joined, ok := joinReasons(reasons, "").(interface{ Unwrap() []error })
	require.True(t, ok)
	named := 0
	for _, err := range joined.Unwrap() {
		if _, ok := errors.AsType[*cqrsfeed.RefusedError](err); ok {
			named++
		}
	}
	assert.Equal(t, 10, named)
	assert.Len(t, joined.Unwrap(), 11)
}

// TestNoRoom distinguishes a full stream, which waits, from a message that never fits.
func TestNoRoom(t *testing.T) {
	t.Parallel()
	for description, full := range map[string]bool{
		"maximum messages per subject exceeded": true, "maximum bytes exceeded": true, "maximum messages exceeded": true,
		"message too large": false, "raft: something else": false,
	} {
		err := &jetstream.APIError{Code: 503, ErrorCode: storeFailed, Description: description}
		assert.Equal(t, full, noRoom(err), description)
		assert.Equal(t, description == "message too large", tooLarge(err), description)
	}
	joined := joinReasons([]error{&jetstream.APIError{ErrorCode: accountExceeded}}, "because of work@posts")
	require.ErrorIs(t, joined, ErrStreamFull)
	require.ErrorContains(t, joined, "because of work@posts")
}
