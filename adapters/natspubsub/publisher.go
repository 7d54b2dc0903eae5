package natspubsub

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/nats-io/nats.go/jetstream"
	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/metric"

	"github.com/feedmill/feedmill/cqrsfeed"
	"github.com/feedmill/feedmill/cqrsfeed/driver"
	"github.com/feedmill/feedmill/internal/config"
)

// PublisherConfig configures a [Publisher].
type PublisherConfig struct {
	// AckTimeout is the maximum time for the broker to acknowledge a message. Defaults to 5 seconds.
	AckTimeout time.Duration

	// MeterProvider receives the metrics of the stream: see docs/nats.md. Defaults to OpenTelemetry's global one.
	MeterProvider metric.MeterProvider
}

func (c *PublisherConfig) setDefaults() {
	config.Default(&c.AckTimeout, 5*time.Second)
	if c.MeterProvider == nil {
		c.MeterProvider = otel.GetMeterProvider()
	}
}

// Validate returns all problems of the configuration, joined.
func (c PublisherConfig) Validate() error {
	c.setDefaults()
	var p config.Problems
	config.NotNegative(&p, "AckTimeout", c.AckTimeout)
	return p.Join()
}

// Publisher publishes to a [Stream]. It also removes messages that were read: every hour, after every eighth of
// MaxMessages, and when a topic is full. It is safe for concurrent use.
type Publisher struct {
	config PublisherConfig
	stream *Stream
	js     jetstream.JetStream
	room   *room
	end    func() // of its metrics

	mu     sync.RWMutex // read-locked by Publish, so that Close waits for it
	closed bool
}

// NewPublisher returns a publisher to the stream's topics. It starts nothing.
func (s *Stream) NewPublisher(cfg PublisherConfig) (*Publisher, error) {
	if err := cfg.Validate(); err != nil {
		return nil, fmt.Errorf("publisher config: %w", err)
	}
	cfg.setDefaults()
	js, err := s.jetStream(jetstream.WithPublishAsyncTimeout(cfg.AckTimeout))
	if err != nil {
		return nil, fmt.Errorf("publisher to stream %q: %w", s.config.Name, err)
	}

	end, err := s.observe(cfg.MeterProvider)
	if err != nil {
		return nil, fmt.Errorf("publisher to stream %q: %w", s.config.Name, err)
	}
	return &Publisher{config: cfg, stream: s, js: js, room: newRoom(s), end: end}, nil
}

// Publish sends the messages in their order without waiting in between. It returns nil when the broker has stored all
// of them. If the topic has seen a message's UUID within the duplicate window, the message counts as stored and is not
// stored again, so a failed call can be repeated. Messages without a UUID are not deduplicated.
//
// After an error, some of the messages may be stored. A repetition is stored after them. The error says how many
// failed and why the first did. It wraps [ErrClosed], [ErrStreamFull], [ErrNoStream], or an error of the client library.
//
// A [cqrsfeed.RefusedError] names each message that is too large for the stream or the broker (max_payload, 1 MiB by
// default; 64 KiB for UUID and metadata), by cqrsfeed.ErrTooLarge, and each whose UUID no header can carry, by
// cqrsfeed.ErrInvalid. For a topic without a subject it names none. Contexts of messages are not used. AckTimeout
// limits each step of the call.
func (p *Publisher) Publish(topic string, messages ...*message.Message) error {
	p.mu.RLock()
	defer p.mu.RUnlock()
	if p.closed {
		return fmt.Errorf("publish to topic %q: %w", topic, ErrClosed)
	}
	subject, err := p.stream.Subject(topic)
	if err != nil {
		return fmt.Errorf("publish: %w", refused(nil, err)) // all messages
	}
	failed, reasons := p.store(subject, messages)
	holder := ""
	if slices.ContainsFunc(reasons, noRoom) {
		ctx, cancel := context.WithTimeout(context.Background(), p.config.AckTimeout)
		defer cancel()
		holder = p.room.make(ctx, subject, !slices.ContainsFunc(failed, func(msg *message.Message) bool { return !driver.IsUpdate(msg) }))
		failed, reasons = p.store(subject, failed)
	}
	if len(failed) < len(messages) {
		ctx, cancel := context.WithTimeout(context.Background(), p.config.AckTimeout)
		defer cancel()
		p.room.use(ctx, len(messages)-len(failed))
	}
	if len(failed) == 0 {
		return nil
	}
	return fmt.Errorf("publish to topic %q of stream %q: %d of %d messages failed: %w",
		topic, p.stream.config.Name, len(failed), len(messages), joinReasons(reasons, holder))
}

// store sends the messages and waits until the broker has stored them. It returns those that failed, and why.
func (p *Publisher) store(subject string, messages []*message.Message) (failed []*message.Message, reasons []error) {
	acks, unsent := p.send(subject, messages)
	for i, ack := range acks {
		select {
		case <-ack.Ok():
		case err := <-ack.Err():
			failed = append(failed, messages[i])
			reasons = append(reasons, refused(messages[i], err))
		}
	}
	if unsent != nil {
		failed = append(failed, messages[len(acks):]...)
		reasons = append(reasons, unsent)
	}
	return failed, reasons
}

// send passes messages to the connection. It stops at the first failure, so that no message overtakes another.
func (p *Publisher) send(subject string, messages []*message.Message) ([]jetstream.PubAckFuture, error) {
	acks := make([]jetstream.PubAckFuture, 0, len(messages))
	for _, msg := range messages {
		out, err := marshal(p.stream.config.Name, subject, msg)
		if err != nil {
			return acks, refused(msg, err)
		}
		// A retry by the client library would store a message after those that were sent later.
		ack, err := p.js.PublishMsgAsync(out, jetstream.WithRetryAttempts(0), jetstream.WithStallWait(p.config.AckTimeout))
		if err != nil {
			return acks, refused(msg, fmt.Errorf("message %s: %w", msg.UUID, err))
		}
		acks = append(acks, ack)
	}
	return acks, nil
}

// joinReasons joins all refusals and the first other error. holder is added to the error of a stream without room: it
// says who holds its messages.
func joinReasons(reasons []error, holder string) error {
	var joined []error
	var other error
	for _, reason := range reasons {
		if _, ok := errors.AsType[*cqrsfeed.RefusedError](reason); ok {
			joined = append(joined, reason)
		} else if other == nil {
			other = reason
		}
	}
	if errors.Is(other, jetstream.ErrNoStreamResponse) {
		other = fmt.Errorf("%w: %w", ErrNoStream, other)
	}
	if noRoom(other) {
		other = fmt.Errorf("%w: %s: %w", ErrStreamFull, holder, other)
	}
	return errors.Join(append(joined, other)...)
}

// Close waits until all calls of Publish have returned, which AckTimeout limits. It leaves the connection open. It can
// be called more than once and always returns nil.
func (p *Publisher) Close() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.closed {
		p.closed = true
		p.js.CleanupPublisher()
		p.end()
	}
	return nil
}
