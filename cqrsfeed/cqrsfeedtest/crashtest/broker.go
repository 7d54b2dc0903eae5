package crashtest

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"

	"github.com/ThreeDotsLabs/watermill/message"

	"github.com/feedmill/feedmill/cqrsfeed"
	"github.com/feedmill/feedmill/cqrsfeed/cqrsfeedtest/internal/model"
	"github.com/feedmill/feedmill/cqrsfeed/projector"
)

// crashBroker is a broker in memory that loses nothing and keeps no order. It redelivers what is not acknowledged, and
// delivers some messages twice at once, to any of its subscribers.
type crashBroker struct {
	mu        sync.Mutex
	dice      *rand.Rand
	changed   *beat
	waiting   map[string][]*envelope // by topic
	envelopes map[*envelope]bool     // all that are not acknowledged

	events    map[string]map[int64]bool // versions by item, of which an event was published
	uuids     map[string]bool
	announced map[string]bool // feeds
	problems  []error
}

// envelope is a message that is not acknowledged.
type envelope struct {
	topic   string
	msg     *message.Message
	waits   bool
	acked   bool
	holders map[*Process]bool
}

func newCrashBroker(seed uint64, changed *beat) *crashBroker {
	return &crashBroker{
		dice: rand.New(rand.NewPCG(seed, 4)), changed: changed,
		waiting: make(map[string][]*envelope), events: make(map[string]map[int64]bool),
		uuids: make(map[string]bool), envelopes: make(map[*envelope]bool), announced: make(map[string]bool),
	}
}

const (
	crashUpdates = "feed-updated"
	crashPoison  = "poison"
	mostInFlight = 12 // unanswered deliveries of a subscription
)

// client is the connection of a process to the broker.
type client struct {
	broker  *crashBroker
	process *Process
}

var (
	_ message.Publisher  = client{}
	_ message.Subscriber = client{}
)

// Publish implements message.Publisher.
func (c client) Publish(topic string, messages ...*message.Message) error {
	return c.process.step("publish to "+topic, true, func() error { return c.broker.accept(topic, messages) })
}

// Close implements message.Publisher and message.Subscriber.
func (client) Close() error { return nil }

var errRefused = errors.New("the broker refuses")

// accept takes messages, and fails now and then.
func (b *crashBroker) accept(topic string, messages []*message.Message) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.dice.IntN(16) == 0 {
		return errRefused
	}
	last := make(map[string]int64) // versions by item
	for _, msg := range messages {
		switch topic {
		case crashPoison:
			if reason := msg.Metadata.Get(projector.PoisonReasonKey); !strings.Contains(reason, crashRefusal) {
				b.problems = append(b.problems, fmt.Errorf("message %s was set aside: %s", msg.UUID, reason))
			}
			continue
		case crashUpdates:
			var event cqrsfeed.FeedUpdated
			b.problems = append(b.problems, json.Unmarshal(msg.Payload, &event))
			b.announced[event.Feed] = true
			continue
		}
		item, err := cqrsfeed.DecodeItem[model.Body](msg)
		b.problems = append(b.problems, err)
		if item.Version < last[item.ID] {
			b.problems = append(b.problems, fmt.Errorf("version %d of item %q was published after version %d", item.Version, item.ID, last[item.ID]))
		}
		last[item.ID] = item.Version
		b.event(topic, item, msg)
	}
	b.changed.all()
	return nil
}

func (b *crashBroker) event(topic string, item cqrsfeed.Item[model.Body], msg *message.Message) {
	if b.events[item.ID] == nil {
		b.events[item.ID] = make(map[int64]bool)
	}
	b.events[item.ID][item.Version] = true
	b.uuids[msg.UUID] = true
	for copies := 1 + b.dice.IntN(8)/7; copies > 0; copies-- {
		e := &envelope{topic: topic, msg: msg.Copy(), holders: make(map[*Process]bool)}
		b.envelopes[e] = true
		b.put(e)
	}
}

// put queues an envelope for delivery.
func (b *crashBroker) put(e *envelope) {
	if !e.acked && !e.waits {
		e.waits = true
		b.waiting[e.topic] = append(b.waiting[e.topic], e)
	}
}

// putBack ends a delivery to a process and queues the envelope again.
func (b *crashBroker) putBack(e *envelope, process *Process) {
	b.mu.Lock()
	defer b.mu.Unlock()
	delete(e.holders, process)
	b.put(e)
	b.changed.all()
}

func (b *crashBroker) acknowledge(e *envelope) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if e.acked {
		return
	}
	e.acked = true
	delete(b.envelopes, e)
	if e.waits {
		e.waits = false
		b.waiting[e.topic] = slices.DeleteFunc(b.waiting[e.topic], func(other *envelope) bool { return other == e })
	}
	b.changed.all()
}

// expire queues what a process holds for delivery to others.
func (b *crashBroker) expire(process *Process) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for e := range b.envelopes {
		if e.holders[process] {
			b.put(e)
		}
	}
	b.changed.all()
}

// take waits for one of the oldest envelopes of a topic. Sometimes it leaves the envelope in the queue for another taker.
func (b *crashBroker) take(ctx context.Context, topic string, process *Process) (*envelope, error) {
	for {
		changed := b.changed.next()
		b.mu.Lock()
		if waiting := b.waiting[topic]; len(waiting) > 0 {
			i := b.dice.IntN(min(6, len(waiting)))
			e := waiting[i]
			if b.dice.IntN(8) > 0 {
				e.waits = false
				b.waiting[topic] = slices.Delete(waiting, i, i+1)
			}
			e.holders[process] = true
			b.mu.Unlock()
			return e, nil
		}
		b.mu.Unlock()
		select {
		case <-changed:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}

// Subscribe implements message.Subscriber.
func (c client) Subscribe(ctx context.Context, topic string) (<-chan *message.Message, error) {
	if c.process.ctx.Err() != nil {
		return nil, ErrStopped
	}
	out := make(chan *message.Message)
	go c.deliver(ctx, topic, out)
	return out, nil
}

func (c client) deliver(ctx context.Context, topic string, out chan<- *message.Message) {
	defer close(out)
	inFlight := make(chan struct{}, mostInFlight)
	for {
		select {
		case inFlight <- struct{}{}:
		case <-ctx.Done():
			return
		}
		e, err := c.broker.take(ctx, topic, c.process)
		if err != nil {
			return
		}
		msg := e.msg.Copy()
		select {
		case out <- msg:
		case <-ctx.Done():
			c.broker.putBack(e, c.process)
			return
		}
		go func() {
			defer func() { <-inFlight }()
			if c.answer(ctx, msg, e) != nil {
				c.broker.putBack(e, c.process)
			}
		}()
	}
}

var errNoAnswer = errors.New("not acknowledged")

// answer waits for the acknowledgement of a delivery, which is a step of the process.
func (c client) answer(ctx context.Context, msg *message.Message, e *envelope) error {
	select {
	case <-msg.Acked():
	case <-msg.Nacked():
		return errNoAnswer
	case <-ctx.Done():
		return errNoAnswer
	}
	return c.process.step("acknowledge", true, func() error {
		c.broker.acknowledge(e)
		return nil
	})
}
