package cqrsfeed

import (
	"context"
	"fmt"
	"sync"

	"github.com/ThreeDotsLabs/watermill/message"
)

// delivery is a message and the topic that it came from.
type delivery struct {
	topic string
	msg   *message.Message
}

// input merges a projector's subscriptions into one channel, whose capacity lets the next batch gather
// while one is being applied.
type input struct {
	deliveries  chan delivery
	ended       chan error // a subscription ended although nobody stopped it
	unsubscribe context.CancelFunc
	forwarders  sync.WaitGroup
}

// subscribe starts a forwarder for each topic. Its subscriptions outlive ctx, because the acknowledgements
// of the last batches still have to pass: close ends them.
func (p *Projector) subscribe(ctx, stopping context.Context) (*input, error) {
	subscribed, unsubscribe := context.WithCancel(context.WithoutCancel(ctx))
	in := &input{
		deliveries:  make(chan delivery, p.config.BatchSize),
		ended:       make(chan error, len(p.config.Topics)),
		unsubscribe: unsubscribe,
	}
	for _, topic := range p.config.Topics {
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

// forward passes messages on until the projector stops. It then holds what it has until the subscription
// ends: to give it back while the subscription goes on would bring it again at once, over and over.
func (in *input) forward(subscribed, stopping context.Context, topic string, messages <-chan *message.Message) {
	for msg := range messages {
		if stopping.Err() == nil {
			select {
			case in.deliveries <- delivery{topic, msg}:
				continue
			case <-stopping.Done():
			case <-subscribed.Done():
			}
		}
		<-subscribed.Done()
		msg.Nack()
	}
}

// close gives back what no batch took, before it unsubscribes so that the broker still hears it, and what
// came in between.
func (in *input) close() {
	in.giveBack()
	in.unsubscribe()
	in.forwarders.Wait()
	in.giveBack()
}

func (in *input) giveBack() {
	for {
		select {
		case d := <-in.deliveries:
			d.msg.Nack()
		default:
			return
		}
	}
}
