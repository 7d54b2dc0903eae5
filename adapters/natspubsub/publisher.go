package natspubsub

import (
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/nats-io/nats.go/jetstream"
)

// maxReasons bounds how many different reasons an error of Publish tells.
const maxReasons = 3

// PublisherConfig says how a [Publisher] waits.
type PublisherConfig struct {
	// AckTimeout is how long the broker may take to acknowledge a message. Defaults to 5 seconds.
	AckTimeout time.Duration
	// MaxPending is how many messages may await their acknowledgement at once, over all calls of Publish;
	// further ones wait, up to AckTimeout. Defaults to 4096.
	MaxPending int
}

func (c *PublisherConfig) setDefaults() {
	if c.AckTimeout == 0 {
		c.AckTimeout = 5 * time.Second
	}
	if c.MaxPending == 0 {
		c.MaxPending = 4096
	}
}

// Validate joins what is wrong with the configuration.
func (c PublisherConfig) Validate() error {
	var problems []error
	if c.AckTimeout < 0 {
		problems = append(problems, fmt.Errorf("AckTimeout is %s, it must be positive", c.AckTimeout))
	}
	if c.MaxPending < 0 {
		problems = append(problems, fmt.Errorf("MaxPending is %d, it must be positive", c.MaxPending))
	}

	return errors.Join(problems...)
}

// Publisher publishes to a [Stream]. It is safe for concurrent use.
type Publisher struct {
	config PublisherConfig
	stream *Stream
	js     jetstream.JetStream

	mu     sync.RWMutex // held for reading by calls of Publish, so that Close waits for them
	closed bool
}

// NewPublisher answers a publisher to the stream's topics. It starts nothing.
func (s *Stream) NewPublisher(config PublisherConfig) (*Publisher, error) {
	if err := config.Validate(); err != nil {
		return nil, fmt.Errorf("publisher config: %w", err)
	}
	config.setDefaults()
	js, err := jetstream.New(s.nc,
		jetstream.WithPublishAsyncTimeout(config.AckTimeout),
		jetstream.WithPublishAsyncMaxPending(config.MaxPending))
	if err != nil {
		return nil, fmt.Errorf("publisher to stream %q: use JetStream: %w", s.config.Name, err)
	}

	return &Publisher{config: config, stream: s, js: js}, nil
}

// Publish sends the messages in their order without waiting in between and returns when the broker has
// acknowledged them all: nil means that every one is stored. A message whose UUID the topic has seen within
// its duplicate window counts as stored and is not stored again, so that what failed may be published anew.
//
// After an error some of the messages may be stored and others not, and what is published anew comes behind
// what was stored. The error says how many failed and why; it wraps [ErrClosed], [ErrInvalidTopic],
// [ErrUnknownTopic], [ErrInvalidUUID], [ErrTooLarge], [ErrNoStream], or what the client library answered. Messages
// without a UUID are not deduplicated. What the broker will never take is in a [cqrsfeed.RefusedError]: messages that
// are too large or have an invalid UUID, each by itself, and invalid topics. A topic that is not among
// [StreamConfig].Topics is not: while a release is rolled out, those of the release before do not know its new topics.
// The messages' contexts are not looked at: AckTimeout bounds the call.
func (p *Publisher) Publish(topic string, messages ...*message.Message) error {
	p.mu.RLock()
	defer p.mu.RUnlock()
	if p.closed {
		return fmt.Errorf("publish to topic %q: %w", topic, ErrClosed)
	}
	subject, err := p.stream.Subject(topic)
	if err != nil {
		return fmt.Errorf("publish: %w", refused(nil, err)) // all of them, whichever they are
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

// send hands messages to the connection and stops at the first that it cannot, so that none overtakes it.
func (p *Publisher) send(subject string, messages []*message.Message) ([]jetstream.PubAckFuture, error) {
	acks := make([]jetstream.PubAckFuture, 0, len(messages))
	for _, msg := range messages {
		out, err := marshal(p.stream.config.Name, subject, msg)
		if err != nil {
			return acks, refused(msg, err)
		}
		// No retry by the client library: it would put a message behind those that were sent after it.
		ack, err := p.js.PublishMsgAsync(out, jetstream.WithRetryAttempts(0), jetstream.WithStallWait(p.config.AckTimeout))
		if err != nil {
			return acks, refused(msg, fmt.Errorf("message %s: %w", msg.UUID, err))
		}
		acks = append(acks, ack)
	}

	return acks, nil
}

// joinReasons joins the first few different errors, and all that say that a message is refused.
func joinReasons(reasons []error) error {
	var joined []error
	seen := map[string]bool{}
	for _, reason := range reasons {
		if reason == nil || !isRefused(reason) && (seen[reason.Error()] || len(joined) >= maxReasons) {
			continue
		}
		seen[reason.Error()] = true
		if errors.Is(reason, jetstream.ErrNoStreamResponse) {
			reason = fmt.Errorf("%w: %w", ErrNoStream, reason)
		}
		joined = append(joined, reason)
	}

	return errors.Join(joined...)
}

// Close waits for calls of Publish to end, which they do within AckTimeout. It leaves the connection open. It
// may be called again.
func (p *Publisher) Close() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.closed {
		p.closed = true
		p.js.CleanupPublisher()
	}

	return nil
}
