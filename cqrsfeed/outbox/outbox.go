package outbox

import (
	"context"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"
)

// Message is a message that waits in an outbox, and the topic it is meant for.
type Message struct {
	Topic   string
	Message *message.Message
	// AddedAt is when it was put into the outbox, by the clock of who did; zero where a store does not know.
	AddedAt time.Time
}

// Outcome is what an outbox does with a drained message.
type Outcome int

const (
	// Keep leaves the message in its place; a later Drain returns it again.
	Keep Outcome = iota
	// Published deletes the message.
	Published
	// Park sets the message aside until Operations returns or discards it.
	Park
)

// Result says what becomes of one drained message. The zero Result keeps it.
type Result struct {
	Outcome Outcome
	// Reason is why the message is parked. Its text is stored with the message.
	Reason error
	// Attempts is how often publishing the message failed. It is stored with a parked message, as at least 1.
	Attempts int
}

// PublishFunc publishes messages and returns one Result for each, in their order.
type PublishFunc func(ctx context.Context, batch []Message) []Result

// Outbox is the relay's side of a store's outbox: a queue of messages that were committed together with
// the rows that they describe. The writer's side is the store's own, since it is part of the store's transactions.
// The operator's side is Operations; a store's outbox should implement it too.
//
// Several relays, in one process or in many, may drain one outbox. A store that can lock rows gives a message to
// one of them at a time; another store may give it to several. Delivery is at least once in both cases.
type Outbox interface {
	// Drain takes up to limit of the oldest messages of all topics but those in except. It calls publish with them
	// once, unless there are none, and then carries out the results in one transaction, even if ctx has ended
	// by then. It returns how many messages were taken.
	//
	// Each message carries Drain's context. A message that cannot be decoded is parked without being given to
	// publish; it counts as taken. If parking alone fails, published messages are deleted nevertheless, the
	// refused ones stay, and Drain returns the error. A limit that is not positive is ErrInvalid.
	//
	// The cost of a Drain does not grow with the number of messages whose topics are in except. A crash between
	// publish and the deletion causes a message to be published again with the same UUID.
	Drain(ctx context.Context, limit int, except []string, publish PublishFunc) (taken int, err error)

	// Wake receives after a commit of this process put messages into the outbox. It is a hint: one
	// receive may stand for many commits, and other processes' commits are not heard.
	Wake() <-chan struct{}
}

// Operations is the operator's side of an outbox: how much waits in it, and what becomes of parked
// messages. All methods are safe for concurrent use, also beside relays.
type Operations interface {
	// Backlog counts what is there. It is cheap however much that is, and keeps nobody waiting.
	Backlog(ctx context.Context) (Backlog, error)

	// Parked returns up to limit parked messages, in the order of the outbox, that come after the one with
	// the ID after: with after = "" and then the last ID of each answer it visits them all. Limits are
	// those of PageLimit. An ID that this store cannot have given is ErrInvalid.
	Parked(ctx context.Context, after string, limit int) ([]ParkedMessage, error)

	// Unpark returns parked messages to the queue, in their old places: as they are older than what waits
	// there they are published next. It wakes the relay, and returns how many there were: IDs of messages
	// that are not parked, any more or at all, are passed over. An ID that this store cannot have given is
	// ErrInvalid, and nothing is returned. Repeating it is harmless.
	Unpark(ctx context.Context, ids ...string) (int, error)

	// Discard deletes parked messages for good, and returns how many there were; otherwise it is as Unpark.
	Discard(ctx context.Context, ids ...string) (int, error)
}

// Backlog is what an outbox holds. A store may count up to a bound of its own and estimate what is beyond.
type Backlog struct {
	// Waiting is how many messages wait to be published, those at a relay included.
	Waiting int64
	// Oldest is when the first of them was put into the outbox; zero when none waits.
	Oldest time.Time
	// Parked is how many messages are set aside because the broker refused them.
	Parked int64
}

// ParkedMessage is a message that the broker refused for good, or again and again while it took others. Its
// content is as it was put into the outbox. One that the store could not decode, as its Reason says, lacks
// what could not be: repair it in the store before it is returned to the queue.
type ParkedMessage struct {
	Topic   string
	Message *message.Message
	// AddedAt is when it was put into the outbox.
	AddedAt time.Time

	// ID is the store's, and means nothing elsewhere. A message that is returned to the queue and parked
	// again has the same one.
	ID string
	// Reason is the text of the last error, cut off after some two thousand bytes.
	Reason string
	// Attempts is how often its publisher was asked to take this message alone in vain, at least once.
	Attempts int
	// ParkedAt is when, by the clock of the relay that did it.
	ParkedAt time.Time
}
