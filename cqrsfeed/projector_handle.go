package cqrsfeed

import (
	"fmt"

	"github.com/ThreeDotsLabs/watermill/message"
)

// Handle applies a message and returns when it is applied, its updates are published, or it is set aside: it
// puts the projector behind a Watermill Router, with whatever middleware that has.
//
//	router.AddConsumerHandler("notes", "note-created", subscriber, projector.Handle)
//
// The Router calls it for all messages at once that the subscriber lets be unacknowledged; they come together in
// batches as those of a subscription do. Retries with backoff and the poison topic are the projector's here too,
// so middleware for them has nothing to do.
//
// It waits for Run, and returns an error, upon which the Router gives the message back, only when the message's
// context ended (the message may then still be applied, which does no harm) or with ErrStopped when Run has
// ended. Stop the Router first, so that nothing is given back that could still be applied:
//
//	go projector.Run(ctx)
//	err := router.Run(routerCtx) // ends before ctx
func (p *Projector) Handle(msg *message.Message) error {
	// The acknowledgement of the message itself is the Router's.
	own := msg.Copy()
	own.SetContext(msg.Context())
	d := p.deliver(message.SubscribeTopicFromCtx(msg.Context()), own)
	select {
	case p.deliveries <- d:
	case <-p.ended:
		d.settle(false)
	case <-msg.Context().Done():
		d.settle(false)
		return fmt.Errorf("projector %q: message %s: %w", p.config.Name, msg.UUID, msg.Context().Err())
	}
	select {
	case <-own.Acked():
		return nil
	case <-own.Nacked():
	case <-p.ended:
		select {
		case <-own.Acked():
			return nil
		default:
		}
	case <-msg.Context().Done():
		return fmt.Errorf("projector %q: message %s: %w", p.config.Name, msg.UUID, msg.Context().Err())
	}
	return fmt.Errorf("projector %q: message %s: %w", p.config.Name, msg.UUID, ErrStopped)
}
