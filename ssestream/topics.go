package ssestream

import (
	"context"
	"fmt"
	"slices"
	"sync/atomic"
	"time"

	"github.com/ThreeDotsLabs/watermill"
	"github.com/ThreeDotsLabs/watermill/message"

	"github.com/feedmill/feedmill/internal/backoff"
)

// listener is told of the messages of its topics.
type listener interface {
	// Deliver notes a message, without blocking. It neither changes nor keeps the message.
	Deliver(msg *message.Message)
	// Resubscribed says that messages may have been missed.
	Resubscribed()
}

// upstream is a topic, with its only subscription.
type upstream struct {
	topic     string
	heard     atomic.Bool               // a message has come
	live      chan struct{}             // closed when the topic is subscribed to for the first time
	since     atomic.Pointer[time.Time] // when it was subscribed to, nil while it is not
	listeners []listener                // under Router.mu; replaced by a longer one, never changed
}

// open notes that messages come from now on.
func (u *upstream) open() {
	now := time.Now()
	u.since.Store(&now)
}

// silent reports whether the topic has been subscribed to for so long, and no message has ever come.
func (u *upstream) silent(atLeast time.Duration) bool {
	since := u.since.Load()

	return !u.heard.Load() && since != nil && time.Since(*since) >= atLeast
}

// upstreams are the topics of one listener.
type upstreams []*upstream

// wait waits until all topics are subscribed to, so that whoever joins from then on misses no message. It reports false
// where that takes longer than it may, or ctx or closed ends before.
func (us upstreams) wait(ctx, closed context.Context, atMost time.Duration) bool {
	timer := time.NewTimer(atMost)
	defer timer.Stop()
	for _, u := range us {
		select {
		case <-u.live:
		case <-timer.C:
			return false
		case <-ctx.Done():
			return false
		case <-closed.Done():
			return false
		}
	}

	return closed.Err() == nil
}

// upstreamsLocked returns the upstreams of the topics, each once.
func (r *Router) upstreamsLocked(topics []string) upstreams {
	ups := make(upstreams, 0, len(topics))
	for _, topic := range topics {
		if up := r.upstreamLocked(topic); !slices.Contains(ups, up) {
			ups = append(ups, up)
		}
	}

	return ups
}

// upstreamLocked returns the topic's upstream. One that is new while the router runs is followed at once.
func (r *Router) upstreamLocked(topic string) *upstream {
	if up, ok := r.upstreams[topic]; ok {
		return up
	}
	up := &upstream{topic: topic, live: make(chan struct{})}
	r.upstreams[topic] = up
	switch {
	case !r.started || r.closing:
	case r.config.UpstreamSubscriber == nil:
		up.open()
		close(up.live)
	default:
		r.tasks.Go(func() { r.follow(up, nil) })
	}

	return up
}

// Publish tells the topic's handlers of the messages, in their order, and returns nil. It notes what has to be
// loaded and sent, in memory, and waits neither for loads nor for clients. It does not acknowledge the messages
// and keeps none of them.
//
// A topic without handlers has nobody to tell; see [Router.Handles]. The same holds for a router that does not run yet
// and for one that is closed: a stream loads its state after it has begun, here or elsewhere, so it misses nothing.
// Concurrent calls have no order between them.
func (r *Router) Publish(topic string, messages ...*message.Message) error {
	r.mu.Lock()
	up := r.upstreams[topic]
	r.mu.Unlock()
	if up == nil {
		return nil
	}
	for _, msg := range messages {
		r.deliver(up, msg)
	}

	return nil
}

func (r *Router) deliver(up *upstream, msg *message.Message) {
	if !up.heard.Load() {
		up.heard.Store(true)
	}
	for _, l := range r.listeners(up) {
		l.Deliver(msg)
	}
}

// listeners returns who is told of the topic's messages. They are told without the lock, which they may need.
func (r *Router) listeners(up *upstream) []listener {
	r.mu.Lock()
	defer r.mu.Unlock()

	return up.listeners
}

// Handles reports whether a handler has been added for the topic.
func (r *Router) Handles(topic string) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	_, ok := r.upstreams[topic]

	return ok
}

// subscribe subscribes to a topic for as long as the router lives. Each time there is a gap to be healed: streams do not
// wait for a topic that cannot be subscribed to.
func (r *Router) subscribe(up *upstream) (<-chan *message.Message, error) {
	messages, err := r.config.UpstreamSubscriber.Subscribe(r.closed, up.topic)
	if err != nil {
		return nil, fmt.Errorf("subscribe to topic %q: %w", up.topic, err)
	}
	up.open()
	for _, l := range r.listeners(up) {
		l.Resubscribed()
	}
	select {
	case <-up.live:
	default:
		close(up.live) // Afterwards, for whoever waits for it has missed nothing.
	}

	return messages, nil
}

// follow delivers the messages of a topic and subscribes again whenever the subscription is lost. With nil
// messages it begins by subscribing.
func (r *Router) follow(up *upstream, messages <-chan *message.Message) {
	failures := backoff.Backoff{Min: r.config.MinBackoff, Max: r.config.MaxBackoff}
	for {
		var err error
		if messages == nil {
			messages, err = r.subscribe(up)
		}
		if err == nil {
			start := time.Now()
			received := r.consume(up, messages)
			up.since.Store(nil)
			if received || time.Since(start) > r.config.MaxBackoff {
				failures.Reset()
			}
		}
		switch {
		case r.closed.Err() != nil:
			return
		case err != nil:
			r.logger.Error("Upstream cannot be subscribed to, trying again", err, nil)
		default:
			r.logger.Info("Upstream was interrupted, subscribing again", watermill.LogFields{"topic": up.topic})
		}
		messages = nil
		if !failures.Wait(r.closed) {
			return
		}
	}
}

// consume delivers messages until their channel or the router is closed, and reports whether there were any.
func (r *Router) consume(up *upstream, messages <-chan *message.Message) (received bool) {
	for {
		select {
		case msg, ok := <-messages:
			if !ok {
				return received
			}
			received = true
			r.deliver(up, msg)
			msg.Ack() // What remains to be done is in memory: a process that loses it has no clients either.
		case <-r.closed.Done():
			return received
		}
	}
}
