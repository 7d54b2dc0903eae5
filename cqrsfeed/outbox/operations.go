package outbox

import (
	"context"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"
)

// Operations is the operator's side of an outbox: how much waits in it, and what becomes of parked
// messages. All methods are safe for concurrent use, also beside relays.
type Operations interface {
	// Backlog counts what the outbox holds. Its cost is bounded, and it blocks nobody.
	Backlog(ctx context.Context) (Backlog, error)

	// Parked returns up to limit parked messages, in the order of the outbox, that come after the one with
	// the ID after. Starting with after = "" and going on with the last ID of each page visits all of them. Limits are
	// those of PageLimit. An ID that this store cannot have issued is ErrInvalid.
	Parked(ctx context.Context, after string, limit int) ([]ParkedMessage, error)

	// Unpark returns parked messages to their old places in the queue. Being older than what waits
	// there, they are published next. It wakes the relay and returns how many messages there were. IDs of messages
	// that are not parked are passed over. An ID that this store cannot have issued is
	// ErrInvalid, and nothing is returned to the queue. Repeating a call is harmless.
	Unpark(ctx context.Context, ids ...string) (int, error)

	// Discard deletes parked messages and returns how many there were. It treats IDs as Unpark does.
	Discard(ctx context.Context, ids ...string) (int, error)
}

// Backlog is what an outbox holds. A store may count exactly up to some bound and estimate beyond it.
type Backlog struct {
	// Waiting is how many messages wait to be published, including those that a relay is publishing.
	Waiting int64
	// Oldest is when the first of them was put into the outbox. It is zero when none waits.
	Oldest time.Time
	// Parked is how many messages are parked.
	Parked int64
}

// ParkedMessage is a message that was set aside, with its content as it was put into the outbox. A message that the store
// could not decode has no metadata; its Reason says so. Repair it in the store before returning it to the queue.
type ParkedMessage struct {
	Topic   string
	Message *message.Message
	// AddedAt is when it was put into the outbox.
	AddedAt time.Time

	// ID is the store's, and means nothing elsewhere. A message that is returned to the queue and parked
	// again keeps it.
	ID string
	// Reason is the text of the last error, cut off after 2,000 bytes.
	Reason string
	// Attempts is how often publishing this message alone failed, at least once.
	Attempts int
	// ParkedAt is when it was parked, by the relay's clock.
	ParkedAt time.Time
}
