package natspubsub

import (
	"context"
	"sync"
	"time"

	"github.com/ThreeDotsLabs/watermill"
	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/nats-io/nats.go"
)

// coalesce is how long a request for few messages waits for more room.
const coalesce = time.Millisecond

// inFlight is a message that was delivered and is not settled.
type inFlight struct {
	sequence  uint64
	stored    time.Time // tells it from another message with its sequence
	delivered uint64    // how often
	reply     string    // where the broker hears of it
	msg       *message.Message
	cancel    context.CancelFunc
}

// durableSubscription is one subscription. All of it belongs to the goroutine of run, except that a goroutine
// for each message in flight waits for its acknowledgement.
type durableSubscription struct {
	subscriber *DurableSubscriber
	topic      string
	logger     watermill.LoggerAdapter
	nc         *nats.Conn
	pull       *puller

	// out and settled have room for all messages in flight, so that the goroutine never blocks on them.
	out     chan *message.Message
	settled chan *inFlight
	flights map[uint64]*inFlight

	created   time.Time // of the stream
	forgotten int       // how many messages are being worked on that are not in flight any more

	status  chan nats.Status
	extend  *time.Ticker
	lull    *time.Timer // fires when a small request was put off for long enough
	retry   *time.Timer // fires when the consumer is to be tried again
	backoff backoff

	stopped chan struct{}
	waiters sync.WaitGroup
}

func newDurableSubscription(d *DurableSubscriber, topic string) *durableSubscription {
	s := &durableSubscription{
		subscriber: d,
		topic:      topic,
		logger:     d.logger(topic),
		nc:         d.stream.nc,
		pull:       newPuller(d.stream.nc, d.stream.config.Name, d.config.MaxInFlight),
		out:        make(chan *message.Message, d.config.MaxInFlight),
		settled:    make(chan *inFlight, d.config.MaxInFlight),
		flights:    map[uint64]*inFlight{},
		lull:       time.NewTimer(time.Hour),
		retry:      time.NewTimer(time.Hour),
		stopped:    make(chan struct{}),
	}
	s.lull.Stop()
	s.retry.Stop()

	return s
}

func (s *durableSubscription) run(ctx context.Context) {
	s.status = s.nc.StatusChanged(nats.CONNECTED, nats.CLOSED)
	defer s.nc.RemoveStatusListener(s.status)
	s.extend = time.NewTicker(s.subscriber.config.AckWait / 3)
	defer s.extend.Stop()
	defer s.stop() //nolint:contextcheck // ctx has ended by then

	if s.nc.IsClosed() { // before the listener was there
		s.logger.Error(connectionClosed, nats.ErrConnectionClosed, nil)

		return
	}
	s.refill()
	for {
		select {
		case <-ctx.Done():
			return
		case msg := <-s.pull.msgs:
			s.receive(ctx, msg)
		case flight := <-s.settled:
			s.settle(flight)
			s.refill()
		case <-s.extend.C:
			s.extendAll()
		case <-s.lull.C:
			s.requestAll()
		case <-s.retry.C:
			s.resume(ctx)
		case <-s.pull.silence.C:
			if s.pull.silent() {
				s.interrupted(errSilent)
			}
		case status := <-s.status:
			if status == nats.CLOSED {
				s.logger.Error(connectionClosed, nats.ErrConnectionClosed, nil)

				return
			}
			s.resume(ctx) // what was asked for on the old connection is void
		}
	}
}

// refill asks for messages when there is much room, and a little later when there is some.
func (s *durableSubscription) refill() {
	room := s.room()
	switch {
	case room <= 0:
	case room >= max(s.subscriber.config.MaxInFlight/4, 1):
		s.requestAll()
	case s.pull.outstanding == 0:
		s.lull.Reset(coalesce)
	}
}

func (s *durableSubscription) room() int {
	if !s.pull.isOpen() {
		return 0
	}

	return s.subscriber.config.MaxInFlight - len(s.flights) - s.forgotten - s.pull.outstanding
}

func (s *durableSubscription) requestAll() {
	s.lull.Stop()
	if room := s.room(); room > 0 {
		if err := s.pull.request(room); err != nil {
			s.interrupted(err)
		}
	}
}

// interrupted gives up what was asked for and tries again later.
func (s *durableSubscription) interrupted(err error) {
	delay := s.backoff.next()
	s.logger.Error("Subscription was interrupted, will resume", err, watermill.LogFields{"delay": delay.String()})
	s.pull.shut()
	s.retry.Reset(delay)
}

// resume makes sure of the consumer, which a restart of the broker may have taken, and asks it anew.
func (s *durableSubscription) resume(ctx context.Context) {
	s.pull.shut()
	s.retry.Stop()
	if !s.nc.IsConnected() {
		s.retry.Reset(maxRetry) // a reconnect comes before it

		return
	}
	if err := s.open(ctx); err != nil {
		s.interrupted(err)

		return
	}
	s.refill()
}

// stop gives back what is not settled and waits until the broker has heard it.
func (s *durableSubscription) stop() {
	ctx, cancel := context.WithTimeout(context.Background(), flushTimeout)
	defer cancel()
	for _, msg := range s.pull.drain(ctx) {
		s.answer(msg.Reply, s.nack(s.subscriber.config.MinNackDelay))
	}
	close(s.stopped)
	s.waiters.Wait()
	s.takeBack()
	for _, flight := range s.flights {
		s.settle(flight)
	}
	if s.nc.IsConnected() {
		if err := s.nc.FlushWithContext(ctx); err != nil {
			s.logger.Error("The broker may not have heard the last acknowledgements", err, nil)
		}
	}
	s.lull.Stop()
	s.retry.Stop()
	close(s.out)
}

// takeBack empties the channel of what nobody received.
func (s *durableSubscription) takeBack() {
	for {
		select {
		case <-s.out:
		default:
			return
		}
	}
}
