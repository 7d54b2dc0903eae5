package natspubsub

import (
	"context"

	"github.com/ThreeDotsLabs/watermill"
)

// open makes sure of the consumer and turns to it.
func (s *durableSubscription) open(ctx context.Context) error {
	consumer, err := s.subscriber.ensureConsumer(ctx, s.topic)
	if err != nil {
		return err
	}
	end, first, err := s.subscriber.stream.positionAt(ctx)
	if err != nil {
		return err
	}
	s.follow(end)
	s.tellDiscarded(consumer.Delivered.Stream+1, first)

	return s.pull.open(consumer.Name)
}

// follow forgets what is in flight of a stream that was deleted, when there is another one of its name.
func (s *durableSubscription) follow(end position) {
	if !end.created.Equal(s.created) {
		for _, flight := range s.flights {
			s.forget(flight)
		}
	}
	s.created = end.created
}

// forget gives up a message that the stream has no more. Its sequence may stand for another one, which its
// acknowledgement must not reach. Until then it takes up room.
func (s *durableSubscription) forget(flight *inFlight) {
	s.logger.Error("Forgot a message that is being worked on: the stream was made again or has lost its end", nil,
		watermill.LogFields{"message_uuid": flight.msg.UUID, "stream_sequence": flight.sequence})
	flight.cancel()
	delete(s.flights, flight.sequence)
	s.forgotten++
}

// tellDiscarded says when the stream's limits have taken what the consumer had not delivered yet.
func (s *durableSubscription) tellDiscarded(next, first uint64) {
	if next < first {
		s.logger.Error("Messages may be lost: the stream's limits (MaxBytes, MaxAge) have discarded some that were not read", nil,
			watermill.LogFields{"at_most": first - next, "next_sequence": next, "first_sequence": first})
	}
}
