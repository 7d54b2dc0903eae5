package natspubsub

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/ThreeDotsLabs/watermill"
	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/feedmill/feedmill/internal/backoff"
)

const (
	// livePrefetch is how many messages a live subscription requests ahead.
	livePrefetch = 256
	// liveInactivity is how long the broker keeps the consumer of a subscription that died.
	liveInactivity = 5 * time.Minute
)

var errSkipped = errors.New("a message did not arrive")

// liveSubscription follows a stream by an ordered consumer: one in memory without acknowledgements, which is replaced
// by one behind the last message whenever a message may not have arrived. The ordered consumer of nats.go is not used,
// because it replaces itself without a sign, so that a gap would not be seen, and does not end while it tries to.
type liveSubscription struct {
	subscriber *LiveSubscriber
	subject    string
	logger     watermill.LoggerAdapter
	out        chan *message.Message
	consumer   jetstream.Consumer
	opened     bool // the consumer was not used yet
	created    time.Time
	last       uint64 // sequence of the last message
}

func newLiveSubscription(l *LiveSubscriber, topic, subject string) *liveSubscription {
	return &liveSubscription{
		subscriber: l,
		subject:    subject,
		logger:     l.stream.logger.With(watermill.LogFields{"topic": topic}),
		out:        make(chan *message.Message),
	}
}

// begin sets the position to the end of the stream.
func (s *liveSubscription) begin(ctx context.Context) error {
	stream, err := s.subscriber.stream.extent(ctx)
	if err != nil {
		return err
	}
	s.created, s.last = stream.created, stream.last

	return s.open(ctx)
}

// open creates a consumer behind the last message. It returns errGap when messages may be missing there.
func (s *liveSubscription) open(ctx context.Context) error {
	consumer, err := s.subscriber.stream.js.CreateConsumer(ctx, s.subscriber.stream.config.Name, jetstream.ConsumerConfig{
		FilterSubject:     s.subject,
		DeliverPolicy:     jetstream.DeliverByStartSequencePolicy,
		OptStartSeq:       s.last + 1,
		AckPolicy:         jetstream.AckNonePolicy,
		InactiveThreshold: liveInactivity,
		MemoryStorage:     true,
		Replicas:          1,
	})
	if err != nil {
		return fmt.Errorf("create consumer: %w", asNoStream(err))
	}
	s.consumer = consumer
	stream, err := s.subscriber.stream.extent(ctx)
	if err != nil {
		return err
	}
	if !stream.created.Equal(s.created) || stream.last < s.last || stream.first > s.last+1 {
		return fmt.Errorf("%w: last message %d, stream has %d to %d", errGap, s.last, stream.first, stream.last)
	}
	s.opened = true

	return nil
}

func (s *liveSubscription) run(ctx context.Context) {
	s.subscriber.stream.keep(ctx, s.logger, func(session context.Context) error { return s.session(ctx, session) })
	if s.subscriber.stream.nc.IsConnected() {
		s.remove(ctx)
	}
	close(s.out)
}

// session delivers messages until the session's context ends or a message may not have arrived. A message that is
// handed out when the session ends stays so until it is acknowledged.
func (s *liveSubscription) session(subscription, session context.Context) error {
	if !s.opened {
		if err := s.open(session); err != nil {
			return err
		}
	}
	s.opened = false
	messages, err := s.consumer.Messages(jetstream.PullMaxMessages(livePrefetch),
		jetstream.PullExpiry(pullExpiry), jetstream.PullHeartbeat(pullHeartbeat))
	if err != nil {
		return err
	}
	defer messages.Stop()
	for expected := uint64(1); ; expected++ {
		in, err := messages.Next(jetstream.NextContext(session))
		if err != nil {
			return err
		}
		meta, err := in.Metadata()
		if err != nil {
			return err
		}
		if meta.Sequence.Consumer != expected {
			return errSkipped
		}
		if !s.deliver(subscription, in, meta) {
			return subscription.Err()
		}
		s.last = meta.Sequence.Stream
	}
}

// deliver hands out a message until it is acknowledged. It reports false when ctx ended before.
func (s *liveSubscription) deliver(ctx context.Context, in jetstream.Msg, meta *jetstream.MsgMetadata) bool {
	msg, err := unmarshal(in, meta)
	if err != nil {
		s.logger.Error("Skipped a message that cannot be decoded", err,
			watermill.LogFields{"subject": in.Subject(), "stream_sequence": meta.Sequence.Stream})

		return true
	}
	retry := backoff.Backoff{Min: minNackDelay, Max: maxNackDelay}
	for ctx.Err() == nil {
		if s.handOut(ctx, msg.Copy()) {
			return true
		}
		retry.Wait(ctx)
	}

	return false
}

// handOut reports whether the message was acknowledged.
func (s *liveSubscription) handOut(ctx context.Context, msg *message.Message) bool {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	msg.SetContext(ctx)
	select {
	case s.out <- msg:
	case <-ctx.Done():
		return false
	}
	select {
	case <-msg.Acked():
		return true
	case <-msg.Nacked():
	case <-ctx.Done():
	}

	return false
}

// remove deletes the consumer. The broker forgets one that could not be deleted.
func (s *liveSubscription) remove(ctx context.Context) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), flushTimeout)
	defer cancel()
	name := s.consumer.CachedInfo().Name
	if err := s.subscriber.stream.js.DeleteConsumer(ctx, s.subscriber.stream.config.Name, name); err != nil {
		s.logger.Debug("Left a consumer for the broker to forget", watermill.LogFields{"reason": err.Error()})
	}
}
