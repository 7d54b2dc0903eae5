package ssestreamtest

import (
	"context"
	"fmt"
	"net/http"
	"sync"
	"time"
)

// Stream is an open connection to an event stream. Its methods are safe for concurrent use.
type Stream struct {
	reader   *Reader
	response *http.Response
	cancel   context.CancelFunc
	events   chan Event
	done     chan struct{} // closed when err is set
	err      error
	whole    bool // Next has returned all events that were read; set before done
	changes  changes

	mu     sync.Mutex
	lastID string
}

// Connect requests an event stream from url, and returns when the response's header has come. A nil client means
// http.DefaultClient. If the response is not an event stream, the error is a [*ResponseError]. The stream lasts until
// the server ends it, ctx ends, or Close is called. The caller must call Close in any case.
//
// Events are read only as fast as Next is called. A test that does not call it is a stalled client as soon as the
// buffers on the way are full.
func Connect(ctx context.Context, client *http.Client, url string, options ...Option) (*Stream, error) {
	ctx, cancel := context.WithCancel(ctx)
	response, err := connect(ctx, client, url, newSettings(options)) //nolint:bodyclose // Stream.Close closes it
	if err != nil {
		cancel()

		return nil, fmt.Errorf("connect to %s: %w", url, err)
	}
	s := &Stream{
		reader:   NewReader(response.Body),
		response: response,
		cancel:   cancel,
		events:   make(chan Event),
		done:     make(chan struct{}),
	}
	s.reader.commented = s.changes.notify
	go s.read(ctx)

	return s, nil
}

func (s *Stream) read(ctx context.Context) {
	defer close(s.done)
	for {
		event, err := s.reader.Next()
		if err != nil {
			s.err, s.whole = err, true

			return
		}
		select {
		case s.events <- event:
		case <-ctx.Done():
			s.err = ctx.Err()

			return
		}
	}
}

// Next returns the next event. It returns io.EOF when the server has ended the stream. When ctx ends first, it returns
// the error of ctx, and can be called again.
func (s *Stream) Next(ctx context.Context) (Event, error) {
	select {
	case event := <-s.events:
		s.setLastID(event.ID)

		return event, nil
	case <-s.done:
		if s.whole {
			s.setLastID(s.reader.LastEventID())
		}

		return Event{}, s.err
	case <-ctx.Done():
		return Event{}, fmt.Errorf("wait for event: %w", ctx.Err())
	}
}

// Header returns the header of the response.
func (s *Stream) Header() http.Header { return s.response.Header }

func (s *Stream) setLastID(id string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.lastID = id
}

// LastEventID returns what a reconnecting client would send as Last-Event-ID, or "". It is that of the last event that
// Next returned: events that were read ahead do not count. When Next has returned why the stream ended, it is that of all that was read.
func (s *Stream) LastEventID() string {
	s.mu.Lock()
	defer s.mu.Unlock()

	return s.lastID
}

// Retry returns the reconnection time that the stream set last, or 0.
func (s *Stream) Retry() time.Duration { return s.reader.Retry() }

// Comments returns the number of comments so far. Heartbeats are comments.
func (s *Stream) Comments() int { return s.reader.Comments() }

// Close ends the connection and waits for its goroutine. It may be called more than once.
func (s *Stream) Close() error {
	err := s.response.Body.Close() // While the context lives, it waits until an HTTP/2 connection is free of the stream.
	s.cancel()
	<-s.done
	if err != nil {
		return fmt.Errorf("close stream: %w", err)
	}

	return nil
}

func (s *Stream) follow(ctx context.Context) (Arrival, error) {
	event, err := s.Next(ctx)

	return Arrival{Event: event, Connection: 1}, err
}

func (s *Stream) connections() int { return 1 }

func (s *Stream) watch() *changes { return &s.changes }

func connect(ctx context.Context, client *http.Client, url string, s settings) (*http.Response, error) {
	r, err := s.request(ctx, url, s.lastEventID)
	if err != nil {
		return nil, err
	}

	return do(client, r)
}
