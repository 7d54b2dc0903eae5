package live

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"github.com/ThreeDotsLabs/watermill"
	"github.com/ThreeDotsLabs/watermill/message"

	"github.com/feedmill/feedmill/internal/telemetry"
)

// queueLength is how many messages may wait for one subscription.
const queueLength = 1000

// ErrClosed is returned by Subscribe after Close.
var ErrClosed = errors.New("closed")

// Receive passes batches to deliver until ctx ends, or until it may have missed some, and says why. It then releases what
// Open took.
type Receive func(ctx context.Context, deliver func(topic string, messages []*message.Message)) error

// Open begins to receive: nothing that is published after it has returned is missed. ctx is that of Open alone.
type Open func(ctx context.Context) (Receive, error)

// Subscriber implements message.Subscriber. All its subscriptions share a session, which the first one opens and the last one
// ends. When the session ends early, the channels of all subscriptions are closed: messages may have been missed.
type Subscriber struct {
	open    Open
	logger  watermill.LoggerAdapter
	closed  context.Context //nolint:containedctx // the subscriber's life, which ends every subscription
	cancel  context.CancelFunc
	opening chan struct{} // held by whoever opens a session
	running sync.WaitGroup

	mu      sync.Mutex
	session *session // nil while there is none
}

type session struct {
	cancel        context.CancelFunc
	subscriptions map[*subscription]struct{}
}

type subscription struct {
	topic  string
	queue  chan *message.Message
	out    chan *message.Message
	cancel context.CancelFunc
}

// NewSubscriber returns a subscriber. It starts nothing. A nil logger logs through slog.Default.
func NewSubscriber(open Open, logger watermill.LoggerAdapter) *Subscriber {
	s := &Subscriber{open: open, logger: telemetry.Logger(logger), opening: make(chan struct{}, 1)}
	s.closed, s.cancel = context.WithCancel(context.Background())
	return s
}

// Subscribe implements message.Subscriber.
func (s *Subscriber) Subscribe(ctx context.Context, topic string) (<-chan *message.Message, error) {
	ctx, cancel := context.WithCancel(ctx)
	stop := context.AfterFunc(s.closed, cancel) //nolint:contextcheck // ends with either context
	sub := &subscription{topic: topic, queue: make(chan *message.Message, queueLength), out: make(chan *message.Message), cancel: cancel}
	on, err := s.join(ctx, sub)
	if err != nil {
		stop()
		cancel()
		return nil, fmt.Errorf("subscribe to topic %q: %w", topic, err)
	}
	go func() {
		defer s.running.Done()
		defer stop()
		sub.run(ctx)
		s.leave(on, sub)
		close(sub.out)
	}()
	return sub.out, nil
}

// join adds a subscription to the session, which it opens if there is none, and counts it as running.
func (s *Subscriber) join(ctx context.Context, sub *subscription) (*session, error) {
	select {
	case s.opening <- struct{}{}:
		defer func() { <-s.opening }()
	case <-ctx.Done():
		return nil, s.ended(ctx.Err())
	}
	if on := s.add(sub); on != nil {
		return on, nil
	}
	receive, err := s.open(ctx)
	if err != nil {
		return nil, s.ended(err)
	}
	return s.begin(receive, sub) //nolint:contextcheck // the session outlives its first subscription
}

// ended returns ErrClosed after Close, and otherwise err.
func (s *Subscriber) ended(err error) error {
	if s.closed.Err() != nil {
		return ErrClosed
	}
	return err
}

// add adds a subscription to the session and returns that, or nil if there is none.
func (s *Subscriber) add(sub *subscription) *session {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.session == nil || s.closed.Err() != nil {
		return nil
	}
	s.session.subscriptions[sub] = struct{}{}
	s.running.Add(1)
	return s.session
}

// begin starts a session with its first subscription.
func (s *Subscriber) begin(receive Receive, sub *subscription) (*session, error) {
	ctx, cancel := context.WithCancel(s.closed)
	on := &session{cancel: cancel, subscriptions: map[*subscription]struct{}{sub: {}}}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed.Err() != nil {
		cancel()
		_ = receive(ctx, nil) // releases what was opened
		return nil, ErrClosed
	}
	s.session = on
	s.running.Add(2)
	go func() {
		defer s.running.Done()
		defer cancel()
		err := receive(ctx, func(topic string, messages []*message.Message) { s.deliver(on, topic, messages) })
		if ctx.Err() == nil {
			s.logger.Error("Live messages may have been missed, subscriptions end", err, nil)
		}
		s.end(on)
	}()
	return on, nil
}

// end ends the subscriptions of a session.
func (s *Subscriber) end(on *session) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.session == on {
		s.session = nil
	}
	for sub := range on.subscriptions {
		sub.cancel()
	}
}

// leave removes a subscription. The last one ends the session.
func (s *Subscriber) leave(on *session, sub *subscription) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(on.subscriptions, sub)
	if len(on.subscriptions) > 0 {
		return
	}
	on.cancel()
	if s.session == on {
		s.session = nil
	}
}

// deliver queues messages, without blocking: one subscription must not delay another.
func (s *Subscriber) deliver(on *session, topic string, messages []*message.Message) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for sub := range on.subscriptions {
		if sub.topic == topic {
			sub.enqueue(messages)
		}
	}
}

// enqueue queues messages. Where there is no room, one message to load everything replaces them and all that wait. Only one
// goroutine at a time queues, so there is no less room than was seen.
func (sub *subscription) enqueue(messages []*message.Message) {
	if len(messages) > cap(sub.queue)-len(sub.queue) {
		sub.clear()
		messages = []*message.Message{newReload()}
	}
	for _, msg := range messages {
		sub.queue <- msg.Copy()
	}
}

func (sub *subscription) clear() {
	for {
		select {
		case <-sub.queue:
		default:
			return
		}
	}
}

// run hands out messages, each until it is acknowledged, until ctx ends.
func (sub *subscription) run(ctx context.Context) {
	defer sub.cancel()
	for {
		select {
		case msg := <-sub.queue:
			if !HandOut(ctx, sub.out, msg) {
				return
			}
		case <-ctx.Done():
			return
		}
	}
}

// Close ends all subscriptions and waits for them. It can be called more than once and always returns nil.
func (s *Subscriber) Close() error {
	s.mu.Lock()
	s.cancel()
	s.mu.Unlock()
	s.running.Wait()
	return nil
}
