package natspubsub

import (
	"context"
	"errors"
	"time"

	"github.com/ThreeDotsLabs/watermill"
	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/nats-io/nats.go"
)

var errSkipped = errors.New("a message did not arrive")

// receive takes in a message or a sign of the broker. It reports false when the subscription has ended.
func (s *liveSubscription) receive(ctx context.Context, in *nats.Msg) bool {
	isMessage, err := s.pull.receive(in)
	if err != nil {
		s.interrupted(err)

		return true
	}
	s.backoff.reset()
	if isMessage && in.Sub == s.pull.sub && !s.take(ctx, in) {
		return false
	}
	s.refill()

	return true
}

// take delivers a message that is next in order.
func (s *liveSubscription) take(ctx context.Context, in *nats.Msg) bool {
	meta, err := in.Metadata()
	if err == nil && meta.Sequence.Consumer != s.delivered+1 {
		err = errSkipped
	}
	if err != nil {
		s.interrupted(err)

		return true
	}
	s.delivered++
	if !s.deliver(ctx, in, meta) {
		return false
	}
	s.last.sequence = meta.Sequence.Stream

	return true
}

// deliver hands out a message until it is acknowledged. It reports false when the subscription ended before.
func (s *liveSubscription) deliver(ctx context.Context, in *nats.Msg, meta *nats.MsgMetadata) bool {
	msg, err := unmarshal(in, meta)
	if err != nil {
		s.logger.Error("Skipped a message that cannot be decoded", err,
			watermill.LogFields{"subject": in.Subject, "stream_sequence": meta.Sequence.Stream})

		return true
	}
	for attempt := uint64(1); ; attempt++ {
		acked, ended := s.handOut(ctx, msg.Copy())
		if acked || ended {
			return acked
		}
		delay := time.NewTimer(nthDelay(attempt, s.subscriber.config.MinNackDelay, s.subscriber.config.MaxNackDelay))
		select {
		case <-delay.C:
		case <-ctx.Done():
			delay.Stop()

			return false
		}
	}
}

func (s *liveSubscription) handOut(ctx context.Context, msg *message.Message) (acked, ended bool) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	msg.SetContext(ctx)
	select {
	case s.out <- msg:
	case <-ctx.Done():
		return false, true
	}
	select {
	case <-msg.Acked():
		return true, false
	case <-msg.Nacked():
		return false, false
	case <-ctx.Done():
		return false, true
	}
}
