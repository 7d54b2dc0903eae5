package natspubsub

import (
	"context"
	"fmt"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/feedmill/feedmill/internal/config"
)

// DurableConfig configures a [DurableSubscriber].
type DurableConfig struct {
	// Name is shared by the subscribers that divide the work: each message goes to one of them. The broker remembers
	// under it what was acknowledged. It may hold letters, digits, '-' and '_'. Required.
	Name string

	// MaxInFlight is how many messages a subscription may hold unacknowledged, and so the largest batch that a handler
	// can form. Defaults to 1000.
	MaxInFlight int

	// MaxAckPending is how many messages of a topic may be unacknowledged in all subscriptions of the Name together.
	// With 1, messages are handled one after the other in the order of the stream. Subscribers of a Name should agree
	// on it. Defaults to [Off].
	MaxAckPending int

	// AckWait is how long after the death of a process its messages are delivered to another one. It does not limit the
	// time for handling a message. It must be at least a second. Defaults to 30 seconds.
	AckWait time.Duration

	// MaxNackDelay bounds the delay of the redelivery after a Nack, which doubles from 50 milliseconds with every
	// delivery of the message. Defaults to 5 seconds.
	MaxNackDelay time.Duration
}

func (c *DurableConfig) setDefaults() {
	config.Default(&c.MaxInFlight, 1000)
	config.Default(&c.MaxAckPending, Off)
	config.Default(&c.AckWait, 30*time.Second)
	config.Default(&c.MaxNackDelay, maxNackDelay)
}

// Validate returns the problems of the configuration, joined.
func (c DurableConfig) Validate() error {
	c.setDefaults()
	var p config.Problems
	p.Add(checkName("Name", c.Name))
	config.NotNegative(&p, "MaxInFlight", c.MaxInFlight)
	p.Check(c.MaxAckPending >= 0 || c.MaxAckPending == Off, "MaxAckPending is %d, it must be positive or Off", c.MaxAckPending)
	p.Check(c.AckWait >= time.Second, "AckWait is %s, it must be at least a second", c.AckWait)
	config.NotNegative(&p, "MaxNackDelay", c.MaxNackDelay)

	return p.Join()
}

// DurableSubscriber delivers every message of a topic at least once to one of the subscriptions that share its Name,
// in this process or another, and remembers what was acknowledged. It is for projections and other work.
//
// Up to MaxInFlight messages are delivered without waiting for each other's acknowledgement, in the order of the
// stream except for redeliveries. A message that cannot be decoded is logged, terminated at the broker with the reason,
// and not delivered.
type DurableSubscriber struct {
	config        DurableConfig
	stream        *Stream
	subscriptions *subscriptions
}

// NewDurableSubscriber returns a subscriber to the stream's topics. It starts nothing.
func (s *Stream) NewDurableSubscriber(cfg DurableConfig) (*DurableSubscriber, error) {
	if err := cfg.Validate(); err != nil {
		return nil, fmt.Errorf("durable subscriber config: %w", err)
	}
	cfg.setDefaults()

	return &DurableSubscriber{config: cfg, stream: s, subscriptions: newSubscriptions()}, nil
}

// Subscribe ensures the topic's durable consumer, which begins with the oldest message, and delivers until ctx ends, the subscriber is closed or
// the connection is closed; then the channel is closed. It resumes after reconnects, restarts of the broker, and the
// loss of the consumer. A subscription that ends returns unacknowledged messages to the broker for redelivery, and
// ends their contexts.
func (d *DurableSubscriber) Subscribe(ctx context.Context, topic string) (<-chan *message.Message, error) {
	sub := newDurableSubscription(d, topic)
	if err := d.subscriptions.start(ctx, sub.open, sub.run); err != nil {
		return nil, fmt.Errorf("subscribe to topic %q: %w", topic, err)
	}

	return sub.held.out, nil
}

// ensureConsumer creates or updates the topic's consumer.
func (d *DurableSubscriber) ensureConsumer(ctx context.Context, topic string) (jetstream.Consumer, error) {
	subject, err := d.stream.Subject(topic)
	if err != nil {
		return nil, err
	}
	name, err := consumerName(d.config.Name, topic)
	if err != nil {
		return nil, err
	}
	consumer, err := d.stream.js.CreateOrUpdateConsumer(ctx, d.stream.config.Name, jetstream.ConsumerConfig{
		Durable:       name,
		FilterSubject: subject,
		DeliverPolicy: jetstream.DeliverAllPolicy,
		AckPolicy:     jetstream.AckExplicitPolicy,
		AckWait:       d.config.AckWait,
		MaxDeliver:    -1,
		MaxAckPending: d.config.MaxAckPending,
	})
	if err != nil {
		return nil, fmt.Errorf("ensure consumer %q: %w", name, asNoStream(err))
	}

	return consumer, nil
}

// Backlog returns the number of messages of the topic that the subscribers of the Name have not acknowledged, delivered
// or not. It asks the broker. Before the first subscription the error is jetstream.ErrConsumerNotFound.
func (d *DurableSubscriber) Backlog(ctx context.Context, topic string) (int64, error) {
	name, err := consumerName(d.config.Name, topic)
	if err != nil {
		return 0, fmt.Errorf("backlog of topic %q: %w", topic, err)
	}
	consumer, err := d.stream.js.Consumer(ctx, d.stream.config.Name, name)
	if err != nil {
		return 0, fmt.Errorf("backlog of topic %q: look up consumer %q: %w", topic, name, asNoStream(err))
	}
	info := consumer.CachedInfo() // fetched by the call above

	return int64(info.NumPending) + int64(info.NumAckPending), nil //nolint:gosec // streams hold no more than that
}

// Close ends all subscriptions, returns unacknowledged messages to the broker, and waits up to a few seconds until the
// broker has received them. It leaves the connection and the durable consumers as they are. It may be called again and
// returns no error.
func (d *DurableSubscriber) Close() error {
	d.subscriptions.close()

	return nil
}
