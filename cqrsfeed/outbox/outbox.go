package outbox

import (
	"context"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"
)

// Message is a message that waits in an outbox, and the topic that it is meant for.
type Message struct {
	Topic   string
	Message *message.Message
	// AddedAt is when it was put into the outbox, by the writer's clock. It is zero if the store does not know.
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
	// receive may stand for many commits, and commits of other processes are not signalled.
	Wake() <-chan struct{}
}
