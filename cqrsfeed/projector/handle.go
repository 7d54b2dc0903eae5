package projector

import (
	"fmt"

	"github.com/ThreeDotsLabs/watermill/message"
)

// Handle applies a message and returns when it is applied and its updates are published, or when it is set aside: it
// puts the projector behind a Watermill Router and its middleware.
//
//	router.AddConsumerHandler("notes", "note-created", subscriber, projector.Handle)
//
// The Router calls it for all messages at once that the subscriber lets be unacknowledged; they come together in
// batches as those of a subscription do. Retries with backoff, the poison topic and panics of the projection are the
// projector's here too. So this holds for Watermill's middleware:
//
//   - What looks at messages (logs, metrics, traces, correlation) or slows them down (Throttle) works as ever.
//   - Recoverer does not see the projection, which runs in goroutines of the projector: those recover by themselves. Nor
//     does Apply's context carry what middleware put into a message's context.
//   - Retry has nothing to do. After a stop it tries again in vain, as often as it may.
//   - PoisonQueue takes a message that is given back, at a stop for example, for poison. Leave it out, or have
//     PoisonQueueWithFilter take nothing with ErrStopped or an error of a context.
//   - Timeout ends the wait for a message, not the work on it, and the message comes again. It has to be longer than
//     MaxAttempts takes, a minute by default, or a message that cannot be applied is never set aside.
//   - InstantAck acknowledges before the message is applied, so that a crash loses it.
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
