package outbox

import (
	"context"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"
)

// Message is a message that waits in an outbox, with its topic.
type Message struct {
	Topic   string
	Message *message.Message
	// AddedAt is when it was put into the outbox, by the writer's clock. It is zero if the store does not know.
	AddedAt time.Time
	// InOrder reports whether the order of the topic is kept, see Orderer. Messages with the same cqrsfeed.PartitionKey must then
	// be published one after the other, and none behind one that was not.
	InOrder bool
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

// Result is the outcome of one drained message. The zero Result keeps it.
type Result struct {
	Outcome Outcome
	// Reason is why the message is parked. Its text is stored with the message.
	Reason error
	// Attempts is how often publishing the message failed. It is stored with a parked message, as at least 1.
	Attempts int
	// ParkedID is set by Drain, in the results that publish returned: it is the ID of the parked message.
	ParkedID string
}

// PublishFunc publishes messages and returns one Result for each, in their order.
type PublishFunc func(ctx context.Context, batch []Message) []Result

// Outbox is a store's outbox: a queue of messages that were committed together with the rows that they describe. Relays drain
// it, and operators use Operations. The writer's side belongs to the store, since it is part of the store's transactions.
//
// Several relays, in one process or in many, may drain one outbox. A store that can lock rows gives a message to one of them
// at a time. Another store may give it to several. Delivery is at least once in both cases.
type Outbox interface {
	// Drain takes up to limit of the oldest messages of all topics but those in except, and fewer when their payloads reach
	// MaxBatchBytes together. If there are any, it calls publish once with all of them, and then applies the results in one
	// transaction, even if ctx has ended by then. It returns how many messages it took.
	//
	// Each message carries Drain's context. Drain parks a message that it cannot decode without calling publish for it, and
	// counts it as taken. If parking fails, published messages are deleted all the same, the refused ones stay, and Drain
	// returns the error. It returns ErrInvalid for a limit of 0 or less.
	//
	// The cost of a Drain grows neither with the number of messages whose topics are in except nor with the number of
	// messages that were published before. For that, a Drain may miss a message that appears among older ones: its
	// transaction committed more than a second after it was added, or another process returned it. A later Drain takes it,
	// usually after a second, and Wake receives once more for that.
	//
	// A crash between publish and the deletion causes a message to be published again with the same UUID.
	Drain(ctx context.Context, limit int, except []string, publish PublishFunc) (taken int, err error)

	// Wake receives after a commit of this process put messages into the outbox. It is a hint: one receive may mean many
	// commits, and commits of other processes are not signalled.
	Wake() <-chan struct{}

	Operations
}

// Orderer is implemented by an Outbox that can keep the order of topics.
type Orderer interface {
	// KeepOrder makes all later calls of Drain keep the order of these topics. Drain then passes a message to publish only if
	// no older message of its topic is parked or locked by another Drain. So relays publish messages with the same
	// cqrsfeed.PartitionKey in the order in which they were committed, whichever process adds or publishes them. Repeats are
	// possible, and messages of a transaction that commits more than a minute after adding them may be overtaken.
	//
	// All processes that drain the outbox must call it, before the first Drain.
	KeepOrder(topics ...string)
}
