package natspubsub

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/nats-io/nats.go/jetstream"
)

// LiveConfig says how a [LiveSubscriber] takes messages.
type LiveConfig struct {
	// Prefetch is how many messages of one subscription are fetched ahead. Defaults to 256.
	Prefetch int

	// MinNackDelay and MaxNackDelay bound how long after a Nack the message comes again; it doubles in
	// between with every delivery. They default to 50 milliseconds and 5 seconds.
	MinNackDelay, MaxNackDelay time.Duration
}

func (c *LiveConfig) setDefaults() {
	if c.Prefetch == 0 {
		c.Prefetch = 256
	}
	if c.MinNackDelay == 0 {
		c.MinNackDelay = 50 * time.Millisecond
	}
	if c.MaxNackDelay == 0 {
		c.MaxNackDelay = max(5*time.Second, c.MinNackDelay)
	}
}

// Validate joins what is wrong with the configuration.
func (c LiveConfig) Validate() error {
	c.setDefaults()
	var problems []error
	problem := func(wrong bool, format string, args ...any) {
		if wrong {
			problems = append(problems, fmt.Errorf(format, args...))
		}
	}
	problem(c.Prefetch < 0, "Prefetch is %d, it must be positive", c.Prefetch)
	problem(c.MinNackDelay < 0, "MinNackDelay is %s, it must be positive", c.MinNackDelay)
	problem(c.MaxNackDelay < c.MinNackDelay, "MaxNackDelay %s is less than MinNackDelay %s", c.MaxNackDelay, c.MinNackDelay)

	return errors.Join(problems...)
}

// LiveSubscriber delivers to every subscription every message that is published after Subscribe returned, in
// the order of the stream, one at a time: the next one comes when the last was acknowledged. A Nack brings the
// message again within the process. Nothing is remembered when the subscription ends. It is for those who
// follow what happens, such as the routers of pages that update themselves.
//
// Interruptions of the connection and restarts of the broker are bridged from the stream: the subscription
// goes on behind the last message that it delivered. Where the stream cannot tell that nothing was lost in
// between, because it has dropped old messages or was made anew, the channel is closed. So a closed channel,
// while neither ctx nor the subscriber has ended, means that messages may have been missed: subscribe again,
// then reload what depends on them.
//
// A message that cannot be decoded is logged and skipped.
type LiveSubscriber struct {
	config LiveConfig
	stream *Stream
	life   lifecycle
}

// NewLiveSubscriber answers a subscriber to the stream's topics. It starts nothing.
func (s *Stream) NewLiveSubscriber(config LiveConfig) (*LiveSubscriber, error) {
	if err := config.Validate(); err != nil {
		return nil, fmt.Errorf("live subscriber config: %w", err)
	}
	config.setDefaults()

	return &LiveSubscriber{config: config, stream: s}, nil
}

// Subscribe delivers what is published to the topic after it has returned, until ctx ends, the subscriber is
// closed, the connection is closed for good, or messages may have been missed; then the channel is closed.
func (l *LiveSubscriber) Subscribe(ctx context.Context, topic string) (<-chan *message.Message, error) {
	if err := l.life.check(); err != nil {
		return nil, fmt.Errorf("subscribe to topic %q: %w", topic, err)
	}
	subject, err := l.stream.Subject(topic)
	if err != nil {
		return nil, fmt.Errorf("subscribe: %w", err)
	}
	sub := newLiveSubscription(l, topic, subject)
	if err := sub.begin(ctx); err != nil {
		return nil, fmt.Errorf("subscribe to topic %q: %w", topic, err)
	}
	if err := l.life.start(ctx, sub.run); err != nil {
		sub.pull.shut()

		return nil, fmt.Errorf("subscribe to topic %q: %w", topic, err)
	}

	return sub.out, nil
}

// position is how far a subscription has come in a stream.
type position struct {
	created  time.Time // of the stream, which tells it from its successors of the same name
	sequence uint64    // of the last message
}

// positionAt looks at the stream: its end, and the first message that it still has.
func (s *Stream) positionAt(ctx context.Context) (end position, first uint64, err error) {
	stream, err := s.js.Stream(ctx, s.config.Name)
	if err != nil {
		return position{}, 0, fmt.Errorf("look at stream %q: %w", s.config.Name, asNoStream(err))
	}
	info := stream.CachedInfo()

	return position{info.Created, info.State.LastSeq}, info.State.FirstSeq, nil
}

// makeLive makes a consumer that goes on behind a position and is forgotten soon after nobody asks it.
func (s *Stream) makeLive(ctx context.Context, subject string, behind position) (string, error) {
	consumer, err := s.js.CreateConsumer(ctx, s.config.Name, jetstream.ConsumerConfig{
		FilterSubject:     subject,
		DeliverPolicy:     jetstream.DeliverByStartSequencePolicy,
		OptStartSeq:       behind.sequence + 1,
		AckPolicy:         jetstream.AckNonePolicy,
		InactiveThreshold: 2 * pullExpiry,
		MemoryStorage:     true,
		Replicas:          1,
	})
	if err != nil {
		return "", fmt.Errorf("make consumer: %w", asNoStream(err))
	}

	return consumer.CachedInfo().Name, nil
}

// Close ends all subscriptions and waits for them. It leaves the connection open. It may be called again. It
// answers no error.
func (l *LiveSubscriber) Close() error {
	l.life.close()

	return nil
}
