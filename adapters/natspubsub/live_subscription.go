package natspubsub

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/ThreeDotsLabs/watermill"
	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/feedmill/feedmill/adapters/internal/live"
)

const (
	// livePrefetch is how many messages a live subscription requests ahead.
	livePrefetch = 256
	// liveInactivity is how long the broker keeps the consumer of a dead subscription.
	liveInactivity = 5 * time.Minute
)

var errSkipped = errors.New("a message did not arrive")

// liveSubscription follows a stream by an ordered consumer: a consumer in memory without acknowledgements. If a message
// may not have arrived, it is replaced by one that begins after the last message. The ordered consumer of nats.go is
// not used: it replaces itself silently, which would hide gaps, and does not end while it tries to.
type liveSubscription struct {
	subscriber *LiveSubscriber
	subject    string
	logger     watermill.LoggerAdapter
	out        chan *message.Message
	consumer   jetstream.Consumer
	opened     bool // the consumer was not used yet
	created    time.Time
	removed    uint64 // how many messages of the stream were gone
	last       uint64 // sequence of the last message, or of the end of the stream at the beginning
	anchor     uint64 // sequence of a message of the subject, after which the subscription has missed none, or 0
}

// begin sets the position to the end of the stream.
func (s *liveSubscription) begin(ctx context.Context) error {
	stream, err := s.subscriber.stream.extent(ctx)
	if err != nil {
		return err
	}
	s.created, s.removed, s.last = stream.created, stream.removed, stream.last
	found, err := s.subscriber.stream.lookUp(ctx)
	if err != nil {
		return err
	}
	newest, err := found.GetLastMsgForSubject(ctx, s.subject)
	switch {
	case err == nil:
		s.anchor = min(newest.Sequence, s.last)
	case !errors.Is(err, jetstream.ErrMsgNotFound):
		return fmt.Errorf("look up the newest message: %w", err)
	}
	return s.open(ctx)
}

// open creates a consumer after the last message. It returns errGap if messages may be missing there. The messages of
// a subject are removed from the oldest on, so none is missing after one that still exists.
func (s *liveSubscription) open(ctx context.Context) error {
	consumer, err := s.subscriber.stream.js.CreateConsumer(ctx, s.subscriber.stream.config.Name, jetstream.ConsumerConfig{
		Name:              livePrefix + watermill.NewShortUUID(),
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
	if !stream.created.Equal(s.created) || stream.last < s.last {
		return fmt.Errorf("%w: last message %d, stream ends with %d", errGap, s.last, stream.last)
	}
	if stream.removed != s.removed {
		if err := s.checkAnchor(ctx); err != nil {
			return err
		}
	}
	s.removed, s.opened = stream.removed, true
	return nil
}

// checkAnchor returns errGap if the anchor no longer exists.
func (s *liveSubscription) checkAnchor(ctx context.Context) error {
	if s.anchor == 0 {
		return fmt.Errorf("%w: messages were removed since %d", errGap, s.last)
	}
	_, found, err := s.subscriber.stream.oldest(ctx, s.subject, s.anchor)
	if err != nil && !errors.Is(err, jetstream.ErrMsgNotFound) {
		return fmt.Errorf("look up message %d: %w", s.anchor, err)
	}
	if found != s.anchor {
		return fmt.Errorf("%w: message %d was removed", errGap, s.anchor)
	}
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
// handed out at the end of the session is still waited for.
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
		s.last, s.anchor = meta.Sequence.Stream, meta.Sequence.Stream
	}
}

// deliver hands out a message until it is acknowledged. It reports false if ctx ended first.
func (s *liveSubscription) deliver(ctx context.Context, in jetstream.Msg, meta *jetstream.MsgMetadata) bool {
	msg, err := unmarshal(in, meta)
	if err != nil {
		s.logger.Error("Skipped a message that cannot be decoded", err,
			watermill.LogFields{"subject": in.Subject(), "stream_sequence": meta.Sequence.Stream})
		return true
	}
	return live.HandOut(ctx, s.out, msg)
}

// remove deletes the consumer. If that fails, the broker removes it after liveInactivity.
func (s *liveSubscription) remove(ctx context.Context) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), flushTimeout)
	defer cancel()
	name := s.consumer.CachedInfo().Name
	if err := s.subscriber.stream.js.DeleteConsumer(ctx, s.subscriber.stream.config.Name, name); err != nil {
		s.logger.Debug("Could not delete a consumer; the broker will remove it", watermill.LogFields{"reason": err.Error()})
	}
}
