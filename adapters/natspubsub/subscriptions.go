package natspubsub

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/ThreeDotsLabs/watermill"
	"github.com/nats-io/nats.go"

	"github.com/feedmill/feedmill/internal/backoff"
)

const (
	// minRetry and maxRetry bound the wait between an interruption and the next session.
	minRetry = 50 * time.Millisecond
	maxRetry = 5 * time.Second
	// minNackDelay and maxNackDelay bound the delay of the redelivery after a Nack.
	minNackDelay = 50 * time.Millisecond
	maxNackDelay = 5 * time.Second
	// pullExpiry is how long the broker holds a request for messages.
	pullExpiry = 10 * time.Second
	// pullHeartbeat is the interval of the broker's heartbeats during a request. A session ends when two are missing.
	pullHeartbeat = 3 * time.Second
	// flushTimeout is the maximum time that the end of a subscription waits for the broker.
	flushTimeout = 3 * time.Second
)

// errGap is returned by a session when messages may have been missed.
var errGap = errors.New("the messages after the last one were removed from the stream, or the stream was replaced")

// keep runs sessions, one after the other, until ctx ends, the connection is closed or a session returns errGap. A
// session receives messages from the broker until it is interrupted. It also ends when the connection is replaced, so
// that the next one checks that the stream and the consumer still exist.
func (s *Stream) keep(ctx context.Context, logger watermill.LoggerAdapter, session func(ctx context.Context) error) {
	status := s.nc.StatusChanged(nats.CONNECTED, nats.CLOSED)
	defer s.nc.RemoveStatusListener(status)
	retry := backoff.Backoff{Min: minRetry, Max: maxRetry}
	for {
		began := time.Now()
		var err error
		if s.nc.IsConnected() {
			err = untilStatus(ctx, status, session)
		}
		if time.Since(began) > maxRetry {
			retry.Reset()
		}
		var wait <-chan time.Time // without a connection, the next status is awaited
		switch {
		case ctx.Err() != nil:
			return
		case s.nc.IsClosed():
			logger.Error("Subscription ended because the connection was closed", nats.ErrConnectionClosed, nil)
			return
		case errors.Is(err, errGap):
			logger.Error("Subscription ended because messages may be missing", err, nil)
			return
		case errors.Is(err, errReconnected):
			continue
		case err != nil:
			delay := retry.Next()
			logger.Error("Subscription was interrupted and will resume", err, watermill.LogFields{"delay": delay.String()})
			wait = time.After(delay)
		}
		select {
		case <-wait:
		case <-status:
		case <-ctx.Done():
		}
	}
}

var errReconnected = errors.New("the connection was replaced")

// untilStatus runs a session, and ends it at the next change of the connection's status.
func untilStatus(ctx context.Context, status <-chan nats.Status, session func(ctx context.Context) error) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	ended := make(chan error, 1)
	go func() { ended <- session(ctx) }()
	select {
	case err := <-ended:
		return err
	case <-status:
		cancel()
		if err := <-ended; errors.Is(err, errGap) {
			return err
		}
		return errReconnected
	}
}

// subscriptions are the running subscriptions of a subscriber.
type subscriptions struct {
	closed  context.Context //nolint:containedctx // the subscriber's life, which ends every subscription
	cancel  context.CancelFunc
	mu      sync.Mutex // so that none starts after close
	running sync.WaitGroup
}

func newSubscriptions() *subscriptions {
	s := &subscriptions{}
	s.closed, s.cancel = context.WithCancel(context.Background())
	return s
}

// start calls open, and then run on a goroutine. Their context ends with ctx and by close. start returns ErrClosed
// after close, or the error of open.
func (s *subscriptions) start(ctx context.Context, open func(ctx context.Context) error, run func(ctx context.Context)) error {
	s.mu.Lock()
	if s.closed.Err() != nil {
		s.mu.Unlock()
		return ErrClosed
	}
	s.running.Add(1)
	s.mu.Unlock()
	ctx, cancel := context.WithCancel(ctx)
	stop := context.AfterFunc(s.closed, cancel) //nolint:contextcheck // ends with either context
	end := func() {
		stop()
		cancel()
		s.running.Done()
	}
	if err := open(ctx); err != nil {
		end()
		return err
	}
	go func() {
		defer end()
		run(ctx)
	}()
	return nil
}

// close ends all subscriptions and waits for them.
func (s *subscriptions) close() {
	s.mu.Lock()
	s.cancel()
	s.mu.Unlock()
	s.running.Wait()
}
