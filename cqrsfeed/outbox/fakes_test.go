package outbox_test

import (
	"context"
	"errors"
	"slices"
	"sync"

	"github.com/ThreeDotsLabs/watermill/message"

	"github.com/feedmill/feedmill/cqrsfeed/outbox"
)

var errDown = errors.New("down")

// memoryOutbox is an outbox without a database, to steer what a relay meets. The stores' own outboxes pass
// the conformance suite.
type memoryOutbox struct {
	mu       sync.Mutex
	queue    []outbox.Message
	parked   []parkedMessage
	drains   []int // how many each Drain took
	attempts int   // how often Drain was called
	fail     error
	wake     chan struct{}
}

type parkedMessage struct {
	outbox.Message
	outbox.Result
}

func newMemoryOutbox(batch ...outbox.Message) *memoryOutbox {
	return &memoryOutbox{queue: slices.Clone(batch), wake: make(chan struct{}, 1)}
}

func (o *memoryOutbox) Wake() <-chan struct{} { return o.wake }

func (o *memoryOutbox) add(batch ...outbox.Message) {
	o.addElsewhere(batch...)
	select {
	case o.wake <- struct{}{}:
	default:
	}
}

// addElsewhere adds as another process does, whose commits wake nobody here.
func (o *memoryOutbox) addElsewhere(batch ...outbox.Message) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.queue = append(o.queue, batch...)
}

// remove takes a topic's messages as another relay does that publishes them.
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
	o.mu.Lock()
	defer o.mu.Unlock()
	o.attempts++
	if o.fail != nil {
		return 0, o.fail
	}
	var batch []outbox.Message
	for _, m := range o.queue {
		if len(batch) == limit {
			break
		}
		if slices.Contains(except, m.Topic) {
			continue
		}
		m.Message.SetContext(ctx)
		batch = append(batch, m)
	}
	o.drains = append(o.drains, len(batch))
	if len(batch) == 0 {
		return 0, nil
	}
	settled := map[*message.Message]bool{}
	for i, result := range publish(ctx, batch) {
		settled[batch[i].Message] = result.Outcome != outbox.Keep
		if result.Outcome == outbox.Park {
			o.parked = append(o.parked, parkedMessage{batch[i], result})
		}
	}
	o.queue = slices.DeleteFunc(o.queue, func(m outbox.Message) bool { return settled[m.Message] })
	return len(batch), nil
}

func (o *memoryOutbox) drained() []int {
	o.mu.Lock()
	defer o.mu.Unlock()
	return append([]int(nil), o.drains...)
}

// recorder is a publisher that remembers what it was given, and refuses topics on demand.
type recorder struct {
	mu      sync.Mutex
	refused map[string]error
	calls   []call
}

type call struct {
	topic string
	uuids []string
}

func (r *recorder) Publish(topic string, messages ...*message.Message) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if err := r.refused[topic]; err != nil {
		return err
	}
	c := call{topic: topic}
	for _, msg := range messages {
		c.uuids = append(c.uuids, msg.UUID)
	}
	r.calls = append(r.calls, c)
	return nil
}

func (r *recorder) Close() error { return nil }

func (r *recorder) refuse(topic string, err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.refused = map[string]error{topic: err}
}

func (r *recorder) published() []call {
	r.mu.Lock()
	defer r.mu.Unlock()
	return append([]call(nil), r.calls...)
}

func outboxMessage(topic, uuid string) outbox.Message {
	return outbox.Message{Topic: topic, Message: message.NewMessage(uuid, []byte(uuid))}
}

func (o *memoryOutbox) attempted() int {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.attempts
}

// publisherFunc is a publisher in a function.
type publisherFunc func(topic string, messages ...*message.Message) error

func (f publisherFunc) Publish(topic string, messages ...*message.Message) error {
	return f(topic, messages...)
}

func (f publisherFunc) Close() error { return nil }

var errTooLarge = errors.New("the broker takes no message of that size")
