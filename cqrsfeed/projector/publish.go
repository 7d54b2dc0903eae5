package projector

import (
	"context"
	"fmt"

	"github.com/ThreeDotsLabs/watermill/message"
)

var _ message.Publisher = (*Projector)(nil)

// Publish applies messages of a topic as one batch, once, on the caller's goroutine, and publishes the updates. So a
// relay, or a handler of Watermill's Router, has them applied without a broker in between:
//
//	outbox.NewRelay(outbox.RelayConfig{Outbox: queue, Publisher: proj}, logger)
//	router.AddConsumerHandler("feeds", topic, subscriber, func(m *message.Message) error { return proj.Publish(topic, m) })
//
// It ends with the context of the first message, and after ApplyTimeout. Without an error all messages are applied and
// their updates are published. An error with a RefusedError in its tree names the messages that can never be applied; all
// others are applied then. With a PoisonTopic those go there instead. After any other error the caller publishes all
// messages again.
//
// Publish needs no Run: it works before, during and after it. It is safe for concurrent use.
func (p *Projector) Publish(topic string, messages ...*message.Message) error {
	if len(messages) == 0 {
		return nil
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
