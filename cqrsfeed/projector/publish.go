package projector

import (
	"context"
	"fmt"

	"github.com/ThreeDotsLabs/watermill/message"
)

var _ message.Publisher = (*Projector)(nil)

// Publish applies messages of a topic as one batch, once, on the caller's goroutine, and publishes the updates. A relay or a
// handler of Watermill's Router needs no broker to call it:
//
//	outbox.NewRelay(outbox.RelayConfig{Outbox: queue, Publisher: proj}, logger)
//	router.AddConsumerHandler("feeds", topic, subscriber, func(m *message.Message) error { return proj.Publish(topic, m) })
//
// The context of the first message and ApplyTimeout bound the call. Without an error all messages are applied and their
// updates are published. Each RefusedError in the tree of an error names a message that can never be applied; all others are
// applied. With a PoisonTopic such messages go there instead. After any other error the caller must publish all messages
// again.
//
// Publish works before, during and after Run, and without it. While the projector is paused it returns ErrPaused. It is safe
// for concurrent use.
func (p *Projector) Publish(topic string, messages ...*message.Message) error {
	if len(messages) == 0 {
		return nil
	}
	if paused, _ := p.pause.now(); paused {
		return fmt.Errorf("projector %q: %w", p.config.Name, ErrPaused)
	}
	ctx, cancel := context.WithTimeout(messages[0].Context(), p.config.ApplyTimeout)
	defer cancel()
	batch := make([]*delivery, len(messages))
	for i, msg := range messages {
		batch[i] = &delivery{topic: topic, msg: msg} // the caller acknowledges it
	}
	if _, err := p.apply(ctx, batch); err != nil {
		return fmt.Errorf("projector %q: %w", p.config.Name, err)
	}
	return nil
}

// Close does nothing: a projector ends with the context of Run. It is part of message.Publisher.
func (p *Projector) Close() error { return nil }
