package projector_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/ThreeDotsLabs/watermill/message"

	"github.com/feedmill/feedmill/cqrsfeed"
)

var errDown = errors.New("down")

// recorder is a publisher that records calls, and fails for a topic on demand.
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

var errTooLarge = errors.New("the broker takes no message of that size")

// picky is a publisher that takes the messages that its rule allows, one by one, and stops at the first other one, as
// publishers do. tell makes its error.
type picky struct {
	recorder

	rule  func(topic string, msg *message.Message) error
	tell  func(msg *message.Message, err error) error
	calls atomic.Int64 // of Publish
}

func (p *picky) Publish(topic string, messages ...*message.Message) error {
	p.calls.Add(1)
	for _, msg := range messages {
		if err := p.rule(topic, msg); err != nil {
			return p.tell(msg, err)
		}
		if err := p.recorder.Publish(topic, msg); err != nil {
			return err
		}
	}
	return nil
}

// took returns the UUIDs in the order of their first publication.
func (p *picky) took() []string {
	var uuids []string
	for _, c := range p.published() {
		if !slices.Contains(uuids, c.uuids[0]) {
			uuids = append(uuids, c.uuids[0])
		}
	}
	return uuids
}

func refuseUUIDs(uuids ...string) func(string, *message.Message) error {
	return func(_ string, msg *message.Message) error {
		if slices.Contains(uuids, msg.UUID) {
			return errTooLarge
		}
		return nil
	}
}

// The ways in which publishers report a refused message.
func named(msg *message.Message, err error) error {
	return fmt.Errorf("publish: %w", errors.Join(errDown, &cqrsfeed.RefusedError{Message: msg, Reason: err}))
}

func unnamed(_ *message.Message, err error) error { return &cqrsfeed.RefusedError{Reason: err} }

func unmarked(_ *message.Message, err error) error { return err }

// messageRecorder is a publisher that keeps what it was given.
type messageRecorder struct {
	mu    sync.Mutex
	given map[string][]*message.Message
}

func (r *messageRecorder) Publish(topic string, messages ...*message.Message) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.given == nil {
		r.given = map[string][]*message.Message{}
	}
	r.given[topic] = append(r.given[topic], messages...)
	return nil
}

func (r *messageRecorder) Close() error { return nil }

func (r *messageRecorder) on(topic string) []*message.Message {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.given[topic]
}

// publisherFunc is a publisher in a function.
type publisherFunc func(topic string, messages ...*message.Message) error

func (f publisherFunc) Publish(topic string, messages ...*message.Message) error {
	return f(topic, messages...)
}

func (f publisherFunc) Close() error { return nil }

// funcProjection is a projection in a function.
type funcProjection func(ctx context.Context, batch []*message.Message) ([]*message.Message, error)

func (f funcProjection) Apply(ctx context.Context, batch []*message.Message) ([]*message.Message, error) {
	return f(ctx, batch)
}

func (f funcProjection) Sweep(context.Context) ([]*message.Message, error) { return nil, nil }
