package natspubsub

import (
	"context"
	"time"

	"github.com/ThreeDotsLabs/watermill"
	"github.com/nats-io/nats.go/jetstream"
)

// durableSubscription requests messages from a durable consumer. It never requests more than it has room for.
type durableSubscription struct {
	subscriber *DurableSubscriber
	topic      string
	logger     watermill.LoggerAdapter
	held       *held
	consumer   jetstream.Consumer // nil until the next session opens it
	created    time.Time          // of the stream
}

// open ensures the consumer. It compares the stream with that of the previous session, to detect a stream that was
// created again.
func (s *durableSubscription) open(ctx context.Context) error {
	consumer, err := s.subscriber.ensureConsumer(ctx, s.topic)
	if err != nil {
		return err
	}
	stream, err := s.subscriber.stream.extent(ctx)
	if err != nil {
		return err
	}
	again := !s.created.IsZero() && !stream.created.Equal(s.created)
	if again {
		s.held.forgetAll()
	}
	if lost := s.held.lost(consumer.CachedInfo(), again); lost > 0 {
		s.logger.Error("Messages of the topic were removed from the stream unread and are lost: rebuild the read models that depend on them", nil,
			watermill.LogFields{"at_least": lost, "stream_made_again": again})
	}
	s.created = stream.created
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

// session consumes messages until its context ends or the broker reports an error. Each request is for as many messages
// as there is room for. The contexts of messages derive from subscription.
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

// drain stops consuming. Messages that the broker has already sent still arrive, so that they can be given back.
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
