package outbox_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/ThreeDotsLabs/watermill"
	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/stretchr/testify/require"

	"github.com/feedmill/feedmill/cqrsfeed"
	"github.com/feedmill/feedmill/cqrsfeed/limits"
	"github.com/feedmill/feedmill/cqrsfeed/outbox"
)

var (
	errDown     = errors.New("down")
	errTooLarge = errors.New("too large for the broker")
)

// runRelay runs a relay in a synctest bubble until stop is called.
func runRelay(t *testing.T, config outbox.RelayConfig) (stop func()) {
	t.Helper()
	relay, err := outbox.NewRelay(config, watermill.NopLogger{})
	require.NoError(t, err)
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- relay.Run(ctx) }()
	return func() {
		cancel()
		require.NoError(t, <-done)
	}
}

// memoryOutbox is an outbox without a database. The stores' own outboxes pass the conformance suite.
type memoryOutbox struct {
	outbox.Operations

	mu     sync.Mutex
	queue  []outbox.Message
	parked []parkedMessage
	order  []string // topics whose order is kept
	drains []int    // how many messages each Drain took
	calls  int      // of Drain
	fail   error
	wake   chan struct{}
}

type parkedMessage struct {
	outbox.Message
	outbox.Result
}

func newMemoryOutbox(batch ...outbox.Message) *memoryOutbox {
	return &memoryOutbox{queue: slices.Clone(batch), wake: make(chan struct{}, 1)}
}

func (o *memoryOutbox) Wake() <-chan struct{} { return o.wake }

func (o *memoryOutbox) Backlog(context.Context) (outbox.Backlog, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	backlog := outbox.Backlog{Waiting: int64(len(o.queue)), Parked: int64(len(o.parked))}
	if len(o.queue) > 0 {
		backlog.Oldest = o.queue[0].AddedAt
	}
	return backlog, nil
}

func (o *memoryOutbox) add(batch ...outbox.Message) {
	o.addElsewhere(batch...)
	select {
	case o.wake <- struct{}{}:
	default:
	}
}

// addElsewhere adds messages like another process, whose commits wake no relay here.
func (o *memoryOutbox) addElsewhere(batch ...outbox.Message) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.queue = append(o.queue, batch...)
}

// prepend adds a message that is older than all others, like a transaction that committed late.
func (o *memoryOutbox) prepend(m outbox.Message) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.queue = append([]outbox.Message{m}, o.queue...)
}

// remove deletes a topic's messages, like another relay that publishes them.
func (o *memoryOutbox) remove(topic string) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.queue = slices.DeleteFunc(o.queue, func(m outbox.Message) bool { return m.Topic == topic })
}

func (o *memoryOutbox) setFailure(err error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.fail = err
}

func (o *memoryOutbox) Drain(ctx context.Context, limit int, except []string, publish outbox.PublishFunc) (int, error) {
	batch, err := o.take(limit, except)
	if err != nil || len(batch) == 0 {
		return 0, err
	}
	results := publish(ctx, batch)
	o.mu.Lock()
	defer o.mu.Unlock()
	settled := map[*message.Message]bool{}
	for i, result := range results {
		settled[batch[i].Message] = result.Outcome != outbox.Keep
		if result.Outcome == outbox.Park {
			o.parked = append(o.parked, parkedMessage{batch[i], result})
		}
	}
	o.queue = slices.DeleteFunc(o.queue, func(m outbox.Message) bool { return settled[m.Message] })
	return len(batch), nil
}

func (o *memoryOutbox) take(limit int, except []string) ([]outbox.Message, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.calls++
	if o.fail != nil {
		return nil, o.fail
	}
	var batch []outbox.Message
	bytes := 0
	for _, m := range o.queue {
		m.InOrder = slices.Contains(o.order, m.Topic)
		held := m.InOrder && slices.ContainsFunc(o.parked, func(p parkedMessage) bool { return p.Topic == m.Topic })
		if len(batch) < limit && bytes < limits.MaxBatchBytes && !slices.Contains(except, m.Topic) && !held {
			batch = append(batch, m)
			bytes += len(m.Message.Payload)
		}
	}
	o.drains = append(o.drains, len(batch))
	return batch, nil
}

func (o *memoryOutbox) drained() []int {
	o.mu.Lock()
	defer o.mu.Unlock()
	return slices.Clone(o.drains)
}

func (o *memoryOutbox) drainCalls() int {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.calls
}

func (o *memoryOutbox) waiting() []string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return uuidsOf(o.queue)
}

// topics returns the topics of the messages that wait.
func (o *memoryOutbox) topics() (topics []string) {
	o.mu.Lock()
	defer o.mu.Unlock()
	for _, m := range o.queue {
		topics = append(topics, m.Topic)
	}
	return topics
}

func (o *memoryOutbox) parkedMessages() []parkedMessage {
	o.mu.Lock()
	defer o.mu.Unlock()
	return slices.Clone(o.parked)
}

func (o *memoryOutbox) parkedUUIDs() []string {
	var uuids []string
	for _, p := range o.parkedMessages() {
		uuids = append(uuids, p.Message.Message.UUID)
	}
	return uuids
}

// broker is a publisher that records what it takes. It takes what its rule has no error for, message by message, and
// stops at the first error, as publishers do.
type broker struct {
	rule func(topic string, msg *message.Message) error
	tell func(msg *message.Message, err error) error // how it returns the error; defaults to unmarked

	calls atomic.Int64 // of Publish
	mu    sync.Mutex
	took  []call
}

// call is what the broker took in one call of Publish, which may have failed afterwards.
type call struct {
	topic string
	uuids []string
}

func (b *broker) Publish(topic string, messages ...*message.Message) error {
	b.calls.Add(1)
	c := call{topic: topic}
	defer func() {
		b.mu.Lock()
		defer b.mu.Unlock()
		if len(c.uuids) > 0 {
			b.took = append(b.took, c)
		}
	}()
	for _, msg := range messages {
		if b.rule != nil {
			if err := b.rule(topic, msg); err != nil {
				if b.tell != nil {
					return b.tell(msg, err)
				}
				return err
			}
		}
		c.uuids = append(c.uuids, msg.UUID)
	}
	return nil
}

func (b *broker) Close() error { return nil }

func (b *broker) taken() []call {
	b.mu.Lock()
	defer b.mu.Unlock()
	return slices.Clone(b.took)
}

// first returns the UUIDs in the order of their first deliveries.
func (b *broker) first() []string {
	var uuids []string
	for _, c := range b.taken() {
		for _, uuid := range c.uuids {
			if !slices.Contains(uuids, uuid) {
				uuids = append(uuids, uuid)
			}
		}
	}
	return uuids
}

// last returns the UUIDs in the order of their last deliveries.
func (b *broker) last() []string {
	var uuids []string
	for _, c := range b.taken() {
		for _, uuid := range c.uuids {
			uuids = slices.DeleteFunc(uuids, func(u string) bool { return u == uuid })
			uuids = append(uuids, uuid)
		}
	}
	return uuids
}

// The ways in which publishers report that a message is refused.
func named(msg *message.Message, err error) error {
	return fmt.Errorf("publish: %w", errors.Join(errDown, &cqrsfeed.RefusedError{Message: msg, Reason: err}))
}

func unnamed(_ *message.Message, err error) error { return &cqrsfeed.RefusedError{Reason: err} }

// failing is a rule by which these messages fail.
func failing(uuids ...string) func(string, *message.Message) error {
	return func(_ string, msg *message.Message) error {
		if slices.Contains(uuids, msg.UUID) {
			return errTooLarge
		}
		return nil
	}
}

// failingTopic is a rule by which a topic fails while down.
func failingTopic(topic string, down *atomic.Bool) func(string, *message.Message) error {
	return func(t string, _ *message.Message) error {
		if t == topic && down.Load() {
			return errDown
		}
		return nil
	}
}

// publisherFunc is a publisher in a function.
type publisherFunc func(topic string, messages ...*message.Message) error

func (f publisherFunc) Publish(topic string, messages ...*message.Message) error {
	return f(topic, messages...)
}

func (f publisherFunc) Close() error { return nil }

func outboxMessage(topic, uuid string) outbox.Message {
	return outbox.Message{Topic: topic, Message: message.NewMessage(uuid, []byte(uuid))}
}

// many makes messages with the UUIDs topic0, topic1, ….
func many(topic string, from, n int) []outbox.Message {
	batch := make([]outbox.Message, n)
	for i := range batch {
		batch[i] = outboxMessage(topic, fmt.Sprintf("%s%d", topic, from+i))
	}
	return batch
}

func uuidsOf(batch []outbox.Message) []string {
	var uuids []string
	for _, m := range batch {
		uuids = append(uuids, m.Message.UUID)
	}
	return uuids
}
