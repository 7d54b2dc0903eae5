package natspubsub

import (
	"context"
	"time"

	"github.com/ThreeDotsLabs/watermill"
	"github.com/nats-io/nats.go/jetstream"
)

// durableSubscription gets messages from a durable consumer, never more than it has room for.
type durableSubscription struct {
	subscriber *DurableSubscriber
	topic      string
	logger     watermill.LoggerAdapter
	held       *held
	consumer   jetstream.Consumer // nil until the next session opens it
	created    time.Time          // of the stream
}

func newDurableSubscription(d *DurableSubscriber, topic string) *durableSubscription {
	logger := d.stream.logger.With(watermill.LogFields{"topic": topic, "durable": d.config.Name})

	return &durableSubscription{subscriber: d, topic: topic, logger: logger, held: newHeld(d.config, d.stream.nc, logger)}
}

// open ensures the consumer and compares the stream with the one before.
func (s *durableSubscription) open(ctx context.Context) error {
	consumer, err := s.subscriber.ensureConsumer(ctx, s.topic)
	if err != nil {
		return err
	}
	stream, err := s.subscriber.stream.extent(ctx)
	if err != nil {
		return err
	}
	if !stream.created.Equal(s.created) {
		s.held.forgetAll()
	}
	s.created = stream.created
	if next := consumer.CachedInfo().Delivered.Stream + 1; next < stream.first {
		s.logger.Error("Messages may be lost: the stream's limits (MaxBytes, MaxAge) have discarded some that were not read", nil,
			watermill.LogFields{"at_most": stream.first - next, "next_sequence": next, "first_sequence": stream.first})
	}
	s.consumer = consumer

	return nil
}

func (s *durableSubscription) run(ctx context.Context) {
	s.subscriber.stream.keep(ctx, s.logger, func(session context.Context) error { return s.session(ctx, session) })
	s.held.giveBack()
	if s.subscriber.stream.nc.IsConnected() {
		flush, cancel := context.WithTimeout(context.WithoutCancel(ctx), flushTimeout)
		defer cancel()
		if err := s.subscriber.stream.nc.FlushWithContext(flush); err != nil {
			s.logger.Error("The broker may not have received the last acknowledgements", err, nil)
		}
	}
	close(s.held.out)
}

// session consumes as many messages as there is room for, again and again, until the session's context ends or the
// broker reports an error. Messages get their contexts from the subscription's.
func (s *durableSubscription) session(subscription, session context.Context) error {
	session, fail := context.WithCancelCause(session)
	defer fail(nil)
	if s.consumer == nil {
		if err := s.open(session); err != nil {
			return err
		}
	}
	consumer := s.consumer
	s.consumer = nil
	for {
		room := s.held.awaitRoom(session)
		if session.Err() != nil {
			return context.Cause(session)
		}
		consuming, err := consumer.Consume(
			func(in jetstream.Msg) { s.held.add(subscription, in) },
			jetstream.StopAfter(room), jetstream.PullMaxMessages(room),
			jetstream.PullExpiry(pullExpiry), jetstream.PullHeartbeat(pullHeartbeat),
			jetstream.ConsumeErrHandler(func(_ jetstream.ConsumeContext, err error) { fail(err) }),
		)
		if err != nil {
			return err
		}
		select {
		case <-consuming.Closed():
		case <-session.Done():
			s.drain(consuming)

			return context.Cause(session)
		}
	}
}

// drain ends the consuming and takes in what the broker has already sent, so that it can be given back.
func (s *durableSubscription) drain(consuming jetstream.ConsumeContext) {
	if !s.subscriber.stream.nc.IsConnected() {
		consuming.Stop()

		return
	}
	consuming.Drain()
	select {
	case <-consuming.Closed():
	case <-time.After(flushTimeout):
	}
}
