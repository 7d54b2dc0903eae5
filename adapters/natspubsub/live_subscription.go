package natspubsub

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/ThreeDotsLabs/watermill"
	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/nats-io/nats.go"
)

var errGap = errors.New("the stream no longer has what came after the last message, or is another one")

// liveSubscription is one subscription. All of it belongs to the goroutine of run.
type liveSubscription struct {
	subscriber *LiveSubscriber
	subject    string
	logger     watermill.LoggerAdapter
	nc         *nats.Conn
	pull       *puller
	out        chan *message.Message

	consumer  string   // at the broker
	delivered uint64   // how many messages that consumer has delivered
	last      position // the last message that was delivered here

	status  chan nats.Status
	retry   *time.Timer // fires when a consumer is to be tried again
	backoff backoff
}

func newLiveSubscription(l *LiveSubscriber, topic, subject string) *liveSubscription {
	s := &liveSubscription{
		subscriber: l,
		subject:    subject,
		logger:     l.stream.logger.With(watermill.LogFields{"topic": topic}),
		nc:         l.stream.nc,
		pull:       newPuller(l.stream.nc, l.stream.config.Name, l.config.Prefetch),
		out:        make(chan *message.Message),
		retry:      time.NewTimer(time.Hour),
	}
	s.retry.Stop()

	return s
}

// begin fixes where the subscription begins.
func (s *liveSubscription) begin(ctx context.Context) error {
	end, _, err := s.subscriber.stream.positionAt(ctx)
	if err != nil {
		return err
	}
	s.last = end

	return s.follow(ctx)
}

// follow makes a consumer that goes on behind the last message.
func (s *liveSubscription) follow(ctx context.Context) error {
	consumer, err := s.subscriber.stream.makeLive(ctx, s.subject, s.last)
	if err != nil {
		return err
	}
	s.consumer, s.delivered = consumer, 0

	return s.pull.open(consumer)
}

func (s *liveSubscription) run(ctx context.Context) {
	s.status = s.nc.StatusChanged(nats.CONNECTED, nats.CLOSED)
	defer s.nc.RemoveStatusListener(s.status)
	defer s.stop() //nolint:contextcheck // ctx has ended by then

	if s.nc.IsClosed() { // before the listener was there
		s.logger.Error(connectionClosed, nats.ErrConnectionClosed, nil)

		return
	}
	s.refill()
	for {
		going := true
		select {
		case <-ctx.Done():
			return
		case msg := <-s.pull.msgs:
			going = s.receive(ctx, msg)
		case <-s.retry.C:
			going = s.resume(ctx)
		case <-s.pull.silence.C:
			if s.pull.silent() {
				s.interrupted(errSilent)
			}
		case status := <-s.status:
			if status == nats.CLOSED {
				s.logger.Error(connectionClosed, nats.ErrConnectionClosed, nil)

				return
			}
			going = s.resume(ctx)
		}
		if !going {
			return
		}
	}
}

// refill asks for messages when half of the last ones have come.
func (s *liveSubscription) refill() {
	room := s.subscriber.config.Prefetch - s.pull.outstanding
	if !s.pull.isOpen() || room < max(s.subscriber.config.Prefetch/2, 1) {
		return
	}
	if err := s.pull.request(room); err != nil {
		s.interrupted(err)
	}
}

// interrupted gives up what was asked for and tries again later.
func (s *liveSubscription) interrupted(err error) {
	delay := s.backoff.next()
	s.logger.Error("Subscription was interrupted, will resume", err, watermill.LogFields{"delay": delay.String()})
	s.pull.shut()
	s.retry.Reset(delay)
}

// resume goes on behind the last message with a new consumer. It reports false when messages may be missing.
func (s *liveSubscription) resume(ctx context.Context) bool {
	s.pull.shut()
	s.retry.Stop()
	if !s.nc.IsConnected() {
		s.retry.Reset(maxRetry) // a reconnect comes before it

		return true
	}
	end, first, err := s.subscriber.stream.positionAt(ctx)
	if err == nil && (!end.created.Equal(s.last.created) || end.sequence < s.last.sequence || first > s.last.sequence+1) {
		s.logger.Error("Subscription ends because messages may be missing", errGap, watermill.LogFields{
			"last_sequence": s.last.sequence, "first_sequence": first, "end_sequence": end.sequence,
		})

		return false
	}
	if err == nil {
		err = s.follow(ctx)
	}
	if err != nil {
		s.interrupted(fmt.Errorf("resume: %w", err))

		return true
	}
	s.refill()

	return true
}

// stop removes the consumer, which would else linger for a while.
func (s *liveSubscription) stop() {
	s.pull.shut()
	s.retry.Stop()
	if s.nc.IsConnected() {
		ctx, cancel := context.WithTimeout(context.Background(), flushTimeout)
		defer cancel()
		if err := s.subscriber.stream.js.DeleteConsumer(ctx, s.subscriber.stream.config.Name, s.consumer); err != nil {
			s.logger.Debug("Left a consumer for the broker to forget", watermill.LogFields{"reason": err.Error()})
		}
	}
	close(s.out)
}
