package outbox

import (
	"context"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"
)

// Operations is the operator's side of an outbox: it counts waiting messages, and returns or discards parked messages. All
// methods are safe for concurrent use, also beside relays.
type Operations interface {
	// Backlog counts what the outbox holds. Its cost is bounded. It blocks neither relays nor writers.
	Backlog(ctx context.Context) (Backlog, error)

	// Parked returns up to limit parked messages after the one with the ID after, in the order of parking, and fewer when
	// their payloads reach limits.MaxBatchBytes. Repeated with the last ID of each result, starting from "", until a
	// result is empty, it visits all. Limits are those of driver.PageLimit. It returns ErrInvalid for an ID that this store
	// cannot have issued.
	Parked(ctx context.Context, after string, limit int) ([]ParkedMessage, error)

	// Unpark returns parked messages to their old places in the queue. They are older than the waiting messages and are
	// published next. If the place of a message is taken, because the table of the queue was emptied or restored, the
	// message goes to the end. Unpark wakes the relay and returns the IDs of the messages that it returned to the queue, each
	// once, also beside an error. It ignores messages that are not parked. For an ID that this store cannot have issued it
	// does nothing and returns ErrInvalid. Repeating a call is harmless.
	Unpark(ctx context.Context, ids ...string) (returned []string, err error)

	// Discard deletes parked messages and returns the IDs of those that it deleted. It treats IDs as Unpark does.
	Discard(ctx context.Context, ids ...string) (discarded []string, err error)
}

// MaxCounted is up to which number messages are counted. A count of MaxCounted means as many or more.
const MaxCounted = 10_000

// Backlog is what an outbox holds. Numbers are at most MaxCounted.
type Backlog struct {
	// Waiting is how many messages wait to be published, including those that a relay is publishing.
	Waiting int64 `json:"waiting"`
	// Oldest is when the oldest of them was put into the outbox. It is zero when none waits.
	Oldest time.Time `json:"oldest,omitzero"`
	// Topics counts these messages by topic, in byte order. If more wait, it counts the oldest.
	Topics []TopicBacklog `json:"topics"`
	// Parked is how many messages are parked.
	Parked int64 `json:"parked"`
}

// TopicBacklog counts the waiting messages of a topic.
type TopicBacklog struct {
	Topic   string `json:"topic"`
	Waiting int64  `json:"waiting"`
	// Oldest is when the oldest of the messages was put into the outbox.
	Oldest time.Time `json:"oldest"`
}

// ParkedMessage is a message that was set aside, as it was put into the outbox. A message that the store could not decode has no
// metadata, and its Reason says so. Repair it in the store before you return it to the queue.
type ParkedMessage struct {
	Topic   string
	Message *message.Message
	// AddedAt is when it was put into the outbox.
	AddedAt time.Time

	// ID is the store's ID of the parked message. A message that is returned to the queue and parked again has another ID.
	ID string
	// Reason is the text of the last error, cut off after 2,000 bytes.
	Reason string
	// Holds reports whether its topic waits until the message is returned or discarded, because the order of the topic is kept.
	Holds bool
	// Attempts is how often publishing this message alone failed, at least once.
	Attempts int
	// ParkedAt is when it was parked, by the relay's clock.
	ParkedAt time.Time
}
