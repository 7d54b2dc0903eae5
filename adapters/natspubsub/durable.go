package natspubsub

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/ThreeDotsLabs/watermill"
	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/feedmill/feedmill/cqrsfeed/projector"
	"github.com/feedmill/feedmill/internal/config"
)

// DurableConfig configures a [DurableSubscriber].
type DurableConfig struct {
	// Name is shared by the subscribers that divide the work: each message goes to one of them. The broker stores under
	// this name which messages were acknowledged. It consists of letters, digits, '-' and '_'. Required.
	Name string

	// MaxInFlight is the maximum number of unacknowledged messages of a subscription, and so the largest batch that a
	// handler can form. Defaults to 1000.
	MaxInFlight int

	// MaxAckPending is the maximum number of unacknowledged messages of a topic in all subscriptions of the Name
	// together. With 1, messages are handled one at a time in the order of the stream. All subscribers of a Name should
	// use the same value. Defaults to [Off].
	MaxAckPending int

	// AckWait is how long the broker waits after the death of a process before it delivers the process's messages to
	// another one. It does not limit the time for handling a message. It must be at least a second. Defaults to 30
	// seconds.
	AckWait time.Duration

	// MaxNackDelay is the maximum delay before a message is redelivered after a Nack. The delay starts at 50
	// milliseconds and doubles with every delivery of the message. Defaults to 5 seconds.
	MaxNackDelay time.Duration
}

func (c *DurableConfig) setDefaults() {
	config.Default(&c.MaxInFlight, 1000)
	config.Default(&c.MaxAckPending, Off)
	config.Default(&c.AckWait, 30*time.Second)
	config.Default(&c.MaxNackDelay, maxNackDelay)
}

// Validate returns all problems of the configuration, joined.
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

// DurableSubscriber delivers every message of a topic at least once, to one of the subscriptions that share its Name,
// in this process or another. The broker stores which messages were acknowledged. It is for projections and other work.
//
// Up to MaxInFlight messages are delivered without waiting for acknowledgements, in the order of the stream except for
// redeliveries. A message that cannot be decoded is logged, terminated at the broker with the reason, and not
// delivered.
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

// Subscribe ensures the topic's durable consumer, which begins with the oldest message. It delivers until ctx ends, the
// subscriber is closed or the connection is closed. Then it closes the channel. It resumes after reconnects, restarts
// of the broker, and the loss of the consumer. When a subscription ends, it returns unacknowledged messages to the
// broker for redelivery and cancels their contexts.
func (d *DurableSubscriber) Subscribe(ctx context.Context, topic string) (<-chan *message.Message, error) {
	logger := d.stream.logger.With(watermill.LogFields{"topic": topic, "durable": d.config.Name})
	sub := &durableSubscription{subscriber: d, topic: topic, logger: logger, held: newHeld(d.config, d.stream.nc, logger)}
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

// Backlog implements projector.Backlogger. It returns the messages of the topic that the subscribers of the Name have not
// acknowledged, delivered or not. It asks the broker. Before the first subscription it returns
// jetstream.ErrConsumerNotFound.
func (d *DurableSubscriber) Backlog(ctx context.Context, topic string) (backlog projector.Backlog, err error) {
	defer func() {
		if err != nil {
			err = fmt.Errorf("backlog of topic %q: %w", topic, err)
		}
	}()
	name, err := consumerName(d.config.Name, topic)
	if err != nil {
		return projector.Backlog{}, err
	}
	consumer, err := d.stream.js.Consumer(ctx, d.stream.config.Name, name)
	if err != nil {
		return projector.Backlog{}, fmt.Errorf("look up consumer %q: %w", name, asNoStream(err))
	}
	info := consumer.CachedInfo() // fetched by the call above
	backlog.Messages = unread(info)
	if backlog.Messages == 0 {
		return backlog, nil
	}
	stored, _, err := d.stream.oldest(ctx, info.Config.FilterSubject, info.AckFloor.Stream+1)
	if err != nil && !errors.Is(err, jetstream.ErrMsgNotFound) { // acknowledged meanwhile
		return backlog, fmt.Errorf("look up the oldest message: %w", err)
	}
	backlog.Oldest = stored
	return backlog, nil
}

// Close ends all subscriptions, returns unacknowledged messages to the broker, and waits a few seconds at most until
// the broker has received them. It leaves the connection open and keeps the durable consumers. It can be called more
// than once and always returns nil.
func (d *DurableSubscriber) Close() error {
	d.subscriptions.close()
	return nil
}
