package natspubsub

import (
	"context"
	"fmt"
	"time"

	"github.com/ThreeDotsLabs/watermill"
	"github.com/nats-io/nats.go"
)

// receive takes in a message or a sign of the broker.
func (s *durableSubscription) receive(ctx context.Context, msg *nats.Msg) {
	isMessage, err := s.pull.receive(msg)
	if err != nil {
		s.interrupted(err)

		return
	}
	s.backoff.reset()
	if isMessage {
		s.deliver(ctx, msg)
	}
	s.refill()
}

func (s *durableSubscription) deliver(ctx context.Context, in *nats.Msg) {
	meta, err := in.Metadata()
	if err != nil {
		s.logger.Error("Received what JetStream did not send", err, watermill.LogFields{"subject": in.Subject})

		return
	}
	again, here := s.flights[meta.Sequence.Stream]
	if here && !again.stored.Equal(meta.Timestamp) {
		s.forget(again)
		here = false
	}
	if here {
		// The broker gave up waiting, during an interruption for example, but it is being worked on here.
		again.reply, again.delivered = in.Reply, meta.NumDelivered

		return
	}
	if len(s.flights)+s.forgotten >= s.subscriber.config.MaxInFlight {
		// Of a request from before an interruption, or in place of one that was forgotten.
		s.answer(in.Reply, s.nack(s.subscriber.config.MinNackDelay))

		return
	}
	msg, err := unmarshal(in, meta)
	if err != nil {
		s.logger.Error("Dropped a message that cannot be decoded", err,
			watermill.LogFields{"subject": in.Subject, "stream_sequence": meta.Sequence.Stream})
		s.answer(in.Reply, "+TERM "+err.Error())

		return
	}
	msgCtx, cancel := context.WithCancel(ctx)
	msg.SetContext(msgCtx)
	flight := &inFlight{meta.Sequence.Stream, meta.Timestamp, meta.NumDelivered, in.Reply, msg, cancel}
	s.flights[flight.sequence] = flight
	s.out <- msg
	s.waiters.Go(func() { s.await(flight) })
}

// await waits for the acknowledgement of a message.
func (s *durableSubscription) await(flight *inFlight) {
	select {
	case <-flight.msg.Acked():
	case <-flight.msg.Nacked():
	case <-s.stopped:
		return
	}
	s.settled <- flight
}

// settle tells the broker what became of a message: done, failed, or, when neither is known, given back.
func (s *durableSubscription) settle(flight *inFlight) {
	if s.flights[flight.sequence] != flight {
		s.forgotten--

		return
	}
	config := s.subscriber.config
	select {
	case <-flight.msg.Acked():
		s.answer(flight.reply, "+ACK")
	case <-flight.msg.Nacked():
		s.answer(flight.reply, s.nack(nthDelay(flight.delivered, config.MinNackDelay, config.MaxNackDelay)))
	default:
		s.answer(flight.reply, s.nack(config.MinNackDelay))
	}
	flight.cancel()
	delete(s.flights, flight.sequence)
}

func (s *durableSubscription) nack(delay time.Duration) string {
	return fmt.Sprintf(`-NAK {"delay":%d}`, delay.Nanoseconds())
}

// answer tells the broker something about a message. What gets lost means that the message comes again.
func (s *durableSubscription) answer(reply, body string) {
	if err := s.nc.Publish(reply, []byte(body)); err != nil {
		s.logger.Error("Could not answer the broker, the message will come again", err, watermill.LogFields{"answer": body})
	}
}

// extendAll tells the broker that messages are being worked on.
func (s *durableSubscription) extendAll() {
	if !s.nc.IsConnected() {
		return
	}
	for _, flight := range s.flights {
		s.answer(flight.reply, "+WPI")
	}
}
