package cqrsfeed

import (
	"context"

	"github.com/ThreeDotsLabs/watermill/message"
)

// OutboxMessage is a message that waits in an outbox, and the topic it is meant for.
type OutboxMessage struct {
	Topic   string
	Message *message.Message
}

// PublishFunc publishes messages in their order and returns one error for each: nil where the broker
// acknowledged it.
type PublishFunc func(ctx context.Context, batch []OutboxMessage) []error

// Outbox is the relay's side of a store's outbox: a queue of messages that were committed together with
// the rows they tell of. The writer's side is the store's own, since it lives in the store's transactions.
//
// Several relays, in one process or many, may drain one outbox; a message is then handed to one of them at
// a time where the store can lock rows, and to several where it cannot: delivery is at least once.
type Outbox interface {
	// Drain takes up to limit of the oldest messages, calls publish with them once if there are any, and
	// deletes those that were acknowledged, also when ctx ended in between. The others stay and come again.
	// It returns how many were taken, and an error when the store failed; errors of publish are for
	// publish's owner. A limit that is not positive is ErrInvalid.
	// A crash between the acknowledgement and the deletion publishes a message again with the same UUID.
	Drain(ctx context.Context, limit int, publish PublishFunc) (taken int, err error)

	// Wake receives after a commit of this process put messages into the outbox. It is a hint: one
	// receive may stand for many commits, and other processes' commits are not heard.
	Wake() <-chan struct{}
}
