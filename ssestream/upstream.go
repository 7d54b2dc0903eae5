package ssestream

import (
	"context"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/ThreeDotsLabs/watermill"
	"github.com/ThreeDotsLabs/watermill/message"
)

// listener hears of the messages of its topics.
type listener interface {
	// deliver notes a message, without blocking. It neither changes nor keeps the message.
	deliver(msg *message.Message)
	// resubscribed says that messages may have been missed.
	resubscribed()
	// resync asks to look for whatever was missed.
	resync()
}

// upstream is a topic, which all its listeners hear by one subscription.
type upstream struct {
	topic string
	live  chan struct{} // closed when the topic was subscribed to first

	mu        sync.RWMutex
	listeners []listener
}

func newUpstream(topic string) *upstream {
	return &upstream{topic: topic, live: make(chan struct{})}
}

func (u *upstream) add(l listener) {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.listeners = append(u.listeners, l)
}

func (u *upstream) all() []listener {
	u.mu.RLock()
	defer u.mu.RUnlock()

	return slices.Clone(u.listeners)
}

// subscribed lets streams begin, the first time; each later time there is a gap behind it to be healed.
func (u *upstream) subscribed() {
	select {
	case <-u.live:
		for _, l := range u.all() {
			l.resubscribed()
		}
	default:
		close(u.live)
	}
}

// upstreams is the topics of one listener.
type upstreams []*upstream

// wait waits until all of the topics are heard, so that a state that is loaded from then on misses no message.
func (us upstreams) wait(ctx, closed context.Context) bool {
	for _, u := range us {
		select {
		case <-u.live:
			continue // as always but at the start: contexts make a channel when it is asked for first
		default:
		}
		select {
		case <-u.live:
		case <-ctx.Done():
			return false
		case <-closed.Done():
			return false
		}
	}

	return closed.Err() == nil
}

// topics names them all, for logs.
func (us upstreams) topics() string {
	topics := make([]string, len(us))
	for i, u := range us {
		topics[i] = u.topic
	}

	return strings.Join(topics, ", ")
}

// deliver tells the listeners of the message.
func (u *upstream) deliver(msg *message.Message) {
	u.mu.RLock()
	defer u.mu.RUnlock()
	for _, l := range u.listeners {
		l.deliver(msg)
	}
}

// follow delivers the messages of a topic and subscribes again whenever the subscription is lost. With nil
// messages it begins by subscribing.
func (r *Router) follow(up *upstream, messages <-chan *message.Message) {
	failures := r.newBackoff()
	for {
		if messages != nil {
			start := time.Now()
			received := r.consume(up, messages)
			if received || time.Since(start) > r.config.MaxBackoff {
				failures.reset()
			}
			if r.closed.Err() != nil {
				return
			}
			r.logger.Info("Upstream was interrupted, subscribing again", watermill.LogFields{"topic": up.topic})
			if !sleep(r.closed, failures.next()) {
				return
			}
		}

		var err error
		if messages, err = r.subscribe(up); err != nil {
			if r.closed.Err() != nil {
				return
			}
			r.logger.Error("Upstream cannot be subscribed to, trying again", err, nil)
			if !sleep(r.closed, failures.next()) {
				return
			}
		}
	}
}

// consume delivers messages until their channel is closed or the router is, and says whether there were any.
func (r *Router) consume(up *upstream, messages <-chan *message.Message) (received bool) {
	for {
		select {
		case msg, ok := <-messages:
			if !ok {
				return received
			}
			received = true
			up.deliver(msg)
			msg.Ack() // What remains to be done is in memory: a process that loses it has no clients either.
		case <-r.closed.Done():
			return received
		}
	}
}
