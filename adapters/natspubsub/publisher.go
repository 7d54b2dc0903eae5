package natspubsub

import (
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/feedmill/feedmill/cqrsfeed"
	"github.com/feedmill/feedmill/internal/config"
)

// PublisherConfig configures a [Publisher].
type PublisherConfig struct {
	// AckTimeout is how long the broker may take to acknowledge a message. Defaults to 5 seconds.
	AckTimeout time.Duration
}

func (c *PublisherConfig) setDefaults() {
	config.Default(&c.AckTimeout, 5*time.Second)
}

// Validate returns the problems of the configuration, joined.
func (c PublisherConfig) Validate() error {
	c.setDefaults()
	var p config.Problems
	config.NotNegative(&p, "AckTimeout", c.AckTimeout)

	return p.Join()
}

// Publisher publishes to a [Stream]. It is safe for concurrent use.
type Publisher struct {
	config PublisherConfig
	stream *Stream
	js     jetstream.JetStream

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

	return &Publisher{config: cfg, stream: s, js: js}, nil
}

// Publish sends the messages in their order without waiting in between, and returns nil when the broker has stored all
// of them. A message whose UUID the topic has seen within the duplicate window counts as stored and is not stored again,
// so a failed call may be repeated. Messages without a UUID are not deduplicated.
//
// After an error, some of the messages may be stored, and a repetition is stored behind them. The error says how many
// failed and why the first did; it wraps [ErrClosed], [ErrInvalidTopic], [ErrInvalidUUID], [ErrTooLarge], [ErrNoStream], or an error of the client library. An invalid topic, and each message that is too large or has an
// invalid UUID, is in a [cqrsfeed.RefusedError]. Contexts of messages are not used; AckTimeout bounds the call.
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
	acks, unsent := p.send(subject, messages)
	failed := len(messages) - len(acks)
	reasons := []error{unsent}
	for i, ack := range acks {
		select {
		case <-ack.Ok():
		case err := <-ack.Err():
			failed++
			reasons = append(reasons, refused(messages[i], err))
		}
	}
	if failed == 0 {
		return nil
	}

	return fmt.Errorf("publish to topic %q of stream %q: %d of %d messages failed: %w",
		topic, p.stream.config.Name, failed, len(messages), joinReasons(reasons))
}

// send hands messages to the connection. It stops at the first failure, so that no message overtakes another.
func (p *Publisher) send(subject string, messages []*message.Message) ([]jetstream.PubAckFuture, error) {
	acks := make([]jetstream.PubAckFuture, 0, len(messages))
	for _, msg := range messages {
		out, err := marshal(p.stream.config.Name, subject, msg)
		if err != nil {
			return acks, refused(msg, err)
		}
		// A retry by the client library would store a message behind those that were sent after it.
		ack, err := p.js.PublishMsgAsync(out, jetstream.WithRetryAttempts(0), jetstream.WithStallWait(p.config.AckTimeout))
		if err != nil {
			return acks, refused(msg, fmt.Errorf("message %s: %w", msg.UUID, err))
		}
		acks = append(acks, ack)
	}

	return acks, nil
}

// joinReasons joins all refusals and the first other error.
func joinReasons(reasons []error) error {
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

	return errors.Join(append(joined, other)...)
}

// Close waits until all calls of Publish have returned, which AckTimeout bounds. It leaves the connection open. It may be
// called again and returns no error.
func (p *Publisher) Close() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.closed {
		p.closed = true
		p.js.CleanupPublisher()
	}

	return nil
}
