package ssestream

import "github.com/ThreeDotsLabs/watermill/message"

// A router takes messages from any publisher's caller.
var _ message.Publisher = (*Router)(nil)

// Publish tells the topic's handlers of the messages, in their order, and returns nil. It notes what has to be
// loaded and sent, in memory, and waits neither for loads nor for clients. It does not acknowledge the messages
// and keeps none of them.
//
// A topic without handlers has nobody to tell; see [Router.Handles]. So have a router that does not run yet and
// one that is closed: a stream loads its state after it has begun, here or elsewhere, so it misses nothing.
// Concurrent calls have no order between them.
func (r *Router) Publish(topic string, messages ...*message.Message) error {
	r.mu.Lock()
	up := r.upstreams[topic]
	r.mu.Unlock()
	if up == nil {
		return nil
	}
	for _, msg := range messages {
		up.deliver(msg)
	}

	return nil
}

// Handles reports whether a handler has been added for the topic.
func (r *Router) Handles(topic string) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	_, ok := r.upstreams[topic]

	return ok
}
