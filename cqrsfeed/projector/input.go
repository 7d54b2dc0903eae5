package projector

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/ThreeDotsLabs/watermill/message"
)

// delivery is a message and the topic that it came from. A message of a subscription is settled once: acknowledged, or
// given back.
type delivery struct {
	topic   string
	msg     *message.Message
	pending *atomic.Int64 // nil if the message is from Publish

	failures int   // failures that count towards MaxAttempts
	failedAt int64 // the projector's count of applied batches at the last failure
}

func (d *delivery) settle(done bool) {
	if d.pending == nil {
		return
	}
	d.pending.Add(-1)
	if done {
		d.msg.Ack()
	} else {
		d.msg.Nack()
	}
}

func settle(batch []*delivery, done bool) {
	for _, d := range batch {
		d.settle(done)
	}
}

// input merges a projector's subscriptions into its channel of deliveries.
type input struct {
	projector   *Projector
	ended       chan error // receives when a subscription ends by itself
	unsubscribe context.CancelFunc
	forwarders  sync.WaitGroup
}

// subscribe starts a forwarder for each subscription. The subscriptions outlive ctx, so that the last batches can be
// acknowledged. close ends them.
func (p *Projector) subscribe(ctx, stopping context.Context) (*input, error) {
	subscribed, unsubscribe := context.WithCancel(context.WithoutCancel(ctx))
	in := &input{
		projector:   p,
		ended:       make(chan error, len(p.config.Topics)*p.config.Subscriptions),
		unsubscribe: unsubscribe,
	}
	for _, topic := range slices.Repeat(p.config.Topics, p.config.Subscriptions) {
		messages, err := p.config.Subscriber.Subscribe(subscribed, topic)
		if err != nil {
			in.close()
			return nil, fmt.Errorf("projector %q: subscribe to topic %q: %w", p.config.Name, topic, err)
		}
		in.forwarders.Go(func() {
			in.forward(subscribed, stopping, topic, messages)
			if stopping.Err() == nil && subscribed.Err() == nil {
				in.ended <- fmt.Errorf("projector %q: subscription to topic %q ended", p.config.Name, topic)
			}
		})
	}
	return in, nil
}

// forward passes messages on until the projector stops. Then it keeps its message until the subscription ends, because the
// broker would deliver a message that is given back at once again.
func (in *input) forward(subscribed, stopping context.Context, topic string, messages <-chan *message.Message) {
	for msg := range messages {
		pending := &in.projector.pending
		pending.Add(1)
		d := &delivery{topic: topic, msg: msg, pending: pending, failures: in.projector.givenBack.take(msg.UUID)}
		if stopping.Err() == nil {
			select {
			case in.projector.deliveries <- d:
				continue
			case <-stopping.Done():
			case <-subscribed.Done():
			}
		}
		<-subscribed.Done()
		d.settle(false)
	}
}

// close gives back the messages that no worker took, unsubscribes, and gives back what arrived in between. A broker may
// ignore what is given back after the end of a subscription.
func (in *input) close() {
	in.giveBack()
	in.unsubscribe()
	in.forwarders.Wait()
	in.giveBack()
}

func (in *input) giveBack() {
	for {
		select {
		case d := <-in.projector.deliveries:
			d.settle(false)
		default:
			return
		}
	}
}
