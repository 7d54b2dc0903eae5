package readmodel_test

import (
	"errors"
	"sync"

	"github.com/ThreeDotsLabs/watermill/message"
)

var errDown = errors.New("down")

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

// downPublisher is a publisher whose broker is away.
type downPublisher struct{ message.Publisher }

func (downPublisher) Publish(string, ...*message.Message) error { return errDown }
