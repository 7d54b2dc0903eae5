package natspubsub

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/ThreeDotsLabs/watermill"
	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/nats-io/nats.go/jetstream"
)

// DurableConfig says how a [DurableSubscriber] takes messages.
type DurableConfig struct {
	// Name is what subscribers share that divide the work: each message goes to one of them. The broker
	// remembers under it what was acknowledged. It may hold letters, digits, '-' and '_'. Required.
	Name string

	// MaxInFlight is how many messages of one subscription may be unacknowledged at once. Batches form up to
	// it. Defaults to 1000.
	MaxInFlight int

	// MaxAckPending is how many messages of a topic may be unacknowledged at once in all subscriptions of the
	// Name together. With 1, messages are handled one after the other in the order of the stream, whatever
	// fails. Subscribers of a Name should agree on it. Defaults to [Unlimited].
	MaxAckPending int

	// AckWait is how long after the death of a process its messages come to another one. It does not limit
	// how long a message may be worked on: while the process lives, the broker is told. It is also how late comes
	// what was given back, by a Nack or at the end of a subscription, when the broker restarts before it was taken
	// again: nats-server does not keep that in its files. At least a second. Defaults to 30 seconds.
	AckWait time.Duration

	// MinNackDelay and MaxNackDelay bound how long after a Nack the message comes again; it doubles in
	// between with every delivery. They default to 50 milliseconds and 5 seconds.
	MinNackDelay, MaxNackDelay time.Duration
}

func (c *DurableConfig) setDefaults() {
	if c.MaxInFlight == 0 {
		c.MaxInFlight = 1000
	}
	if c.MaxAckPending == 0 {
		c.MaxAckPending = Unlimited
	}
	if c.AckWait == 0 {
		c.AckWait = 30 * time.Second
	}
	if c.MinNackDelay == 0 {
		c.MinNackDelay = 50 * time.Millisecond
	}
	if c.MaxNackDelay == 0 {
		c.MaxNackDelay = max(5*time.Second, c.MinNackDelay)
	}
}

// Validate joins what is wrong with the configuration.
func (c DurableConfig) Validate() error {
	c.setDefaults()
	var problems []error
	problem := func(wrong bool, format string, args ...any) {
		if wrong {
			problems = append(problems, fmt.Errorf(format, args...))
		}
	}
	if err := checkName("Name", c.Name); err != nil {
		problems = append(problems, err)
	}
	problem(c.MaxInFlight < 0, "MaxInFlight is %d, it must be positive", c.MaxInFlight)
	problem(c.MaxAckPending < 0 && c.MaxAckPending != Unlimited, "MaxAckPending is %d, it must be positive or Unlimited", c.MaxAckPending)
	problem(c.AckWait < time.Second, "AckWait is %s, it must be at least a second", c.AckWait)
	problem(c.MinNackDelay < 0, "MinNackDelay is %s, it must be positive", c.MinNackDelay)
	problem(c.MaxNackDelay < c.MinNackDelay, "MaxNackDelay %s is less than MinNackDelay %s", c.MaxNackDelay, c.MinNackDelay)

	return errors.Join(problems...)
}

// DurableSubscriber delivers every message of a topic at least once to one of the subscriptions that share
// its name, in this process or another, and remembers across restarts. It is for projections and other work.
//
// Up to MaxInFlight messages come without waiting for each other's acknowledgement, in the order of the stream
// but for those that come again. A message comes again after a Nack, after the death of its process, and when
// its acknowledgement was lost. A message that cannot be decoded is logged, ended at the broker with the
// reason, and not delivered.
type DurableSubscriber struct {
	config DurableConfig
	stream *Stream
	life   lifecycle
}

// NewDurableSubscriber answers a subscriber to the stream's topics. It starts nothing.
func (s *Stream) NewDurableSubscriber(config DurableConfig) (*DurableSubscriber, error) {
	if err := config.Validate(); err != nil {
		return nil, fmt.Errorf("durable subscriber config: %w", err)
	}
	config.setDefaults()

	return &DurableSubscriber{config: config, stream: s}, nil
}

// SubscribeInitialize makes the durable consumer of the topic at the broker, or brings it to the configuration.
// Subscribe does it too. A new one begins with the oldest message that the stream has.
func (d *DurableSubscriber) SubscribeInitialize(topic string) error {
	if err := d.life.check(); err != nil {
		return fmt.Errorf("initialize subscription to topic %q: %w", topic, err)
	}
	if _, err := d.ensureConsumer(context.Background(), topic); err != nil {
		return fmt.Errorf("initialize subscription: %w", err)
	}

	return nil
}

// Subscribe makes the durable consumer and delivers the topic's messages until ctx ends, the subscriber is
// closed, or the connection is closed for good; then the channel is closed. Reconnects, restarts of the
// broker, and loss of the consumer are dealt with inside. A subscription that ends gives back to the broker
// what was not acknowledged, without a wait for those who work on it.
func (d *DurableSubscriber) Subscribe(ctx context.Context, topic string) (<-chan *message.Message, error) {
	if err := d.life.check(); err != nil {
		return nil, fmt.Errorf("subscribe to topic %q: %w", topic, err)
	}
	sub := newDurableSubscription(d, topic)
	if err := sub.open(ctx); err != nil {
		return nil, fmt.Errorf("subscribe: %w", err)
	}
	if err := d.life.start(ctx, sub.run); err != nil {
		sub.pull.shut()

		return nil, fmt.Errorf("subscribe to topic %q: %w", topic, err)
	}

	return sub.out, nil
}

// ensureConsumer answers the topic's consumer, which is there then.
func (d *DurableSubscriber) ensureConsumer(ctx context.Context, topic string) (*jetstream.ConsumerInfo, error) {
	subject, err := d.stream.Subject(topic)
	if err != nil {
		return nil, err
	}
	name, err := consumerName(d.config.Name, topic)
	if err != nil {
		return nil, fmt.Errorf("topic %q: %w", topic, err)
	}
	consumer, err := d.stream.js.CreateOrUpdateConsumer(ctx, d.stream.config.Name, jetstream.ConsumerConfig{
		Durable:       name,
		FilterSubject: subject,
		DeliverPolicy: jetstream.DeliverAllPolicy,
		AckPolicy:     jetstream.AckExplicitPolicy,
		AckWait:       d.config.AckWait,
		MaxDeliver:    Unlimited,
		MaxAckPending: d.config.MaxAckPending,
	})
	if err != nil {
		return nil, fmt.Errorf("topic %q: make consumer %q: %w", topic, name, asNoStream(err))
	}

	return consumer.CachedInfo(), nil // as it was just answered
}

// asNoStream says it in our words where the stream is missing.
func asNoStream(err error) error {
	if errors.Is(err, jetstream.ErrStreamNotFound) || errors.Is(err, jetstream.ErrJetStreamNotEnabled) {
		return fmt.Errorf("%w: %w", ErrNoStream, err)
	}

	return err
}

// Close ends all subscriptions, gives back to the broker what was not acknowledged, and waits until the broker
// has heard it, for a few seconds at most. It leaves the connection and the durable consumers as they are. It
// may be called again. It answers no error.
func (d *DurableSubscriber) Close() error {
	d.life.close()

	return nil
}

func (d *DurableSubscriber) logger(topic string) watermill.LoggerAdapter {
	return d.stream.logger.With(watermill.LogFields{"topic": topic, "durable": d.config.Name})
}
