package ssestreamtest

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"
)

func (s *EventSource) run(ctx context.Context) {
	defer close(s.done)
	for ctx.Err() == nil {
		r, err := s.settings.request(ctx, s.url, s.LastEventID())
		if err != nil {
			s.end(err)

			return
		}
		response, err := do(s.client, r)
		if _, refused := errors.AsType[*ResponseError](err); refused {
			s.end(err)

			return
		}
		if err == nil {
			s.read(ctx, response)
		}
		s.disconnected(err)
		s.pause(ctx)
	}
	s.end(context.Cause(ctx))
}

// read offers the events of one response. A client does not care how a stream ends.
func (s *EventSource) read(ctx context.Context, response *http.Response) {
	defer response.Body.Close()
	reader := NewReader(response.Body)
	reader.commented = s.changes.notify
	connection := s.begin(reader)
	for {
		event, ok, err := reader.block()
		if err != nil {
			return
		}
		if !ok {
			s.setLastID(event.ID)
		} else if !s.offer(ctx, Arrival{Event: event, Connection: connection}) {
			return
		}
	}
}

func (s *EventSource) begin(reader *Reader) int {
	defer s.changes.notify()
	s.mu.Lock()
	defer s.mu.Unlock()
	reader.resume(s.reader, s.lastID)
	s.reader, s.state, s.failure = reader, StateOpen, nil
	s.opened++

	return s.opened
}

func (s *EventSource) setLastID(id string) {
	defer s.changes.notify()
	s.mu.Lock()
	defer s.mu.Unlock()
	s.lastID = id
}

// offer waits until Next has taken the event, and reports whether it has.
func (s *EventSource) offer(ctx context.Context, arrival Arrival) bool {
	taken := make(chan bool, 1)
	s.mu.Lock()
	s.offered, s.taken = &arrival, taken
	s.mu.Unlock()
	s.changes.notify()
	select {
	case <-taken:
		return true
	case <-ctx.Done():
		return false
	}
}

// take returns the offered event, if there is one, or why the source has ended.
func (s *EventSource) take() (Arrival, bool, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.offered == nil {
		return Arrival{}, false, s.err
	}
	arrival := *s.offered
	s.lastID = arrival.ID
	s.taken <- true
	s.offered = nil

	return arrival, true, nil
}

// disconnected records that the stream has ended or, with an error, that no response came.
func (s *EventSource) disconnected(failure error) {
	defer s.changes.notify()
	s.mu.Lock()
	defer s.mu.Unlock()
	s.state, s.failure = StateConnecting, failure
}

func (s *EventSource) end(err error) {
	defer s.changes.notify()
	s.mu.Lock()
	defer s.mu.Unlock()
	s.state, s.offered = StateClosed, nil
	s.err = fmt.Errorf("follow %s: %w", s.url, err)
}

func (s *EventSource) pause(ctx context.Context) {
	s.mu.Lock()
	wait := min(s.reader.reconnectionTime(defaultRetry), s.settings.maxWait)
	s.mu.Unlock()
	timer := time.NewTimer(wait)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}
