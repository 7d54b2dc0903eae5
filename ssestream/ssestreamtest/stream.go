package ssestreamtest

import (
	"context"
	"errors"
	"fmt"
	"io"
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
	changes  changes

	mu     sync.Mutex
	lastID string
}

// Connect asks url for an event stream and answers when the response's header is there. A nil client stands for
// http.DefaultClient. An answer that is no event stream is a [*ResponseError]. The stream lasts until it ends by
// itself, ctx ends, or Close is called, which has to be called in any case.
//
// Events are read only as fast as Next is called: a test that does not call it is a client that has stalled, as
// soon as the buffers between are full.
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
	s.reader.commented = s.changes.tell
	go s.read(ctx)

	return s, nil
}

func (s *Stream) read(ctx context.Context) {
	defer close(s.done)
	for {
		event, err := s.reader.Next()
		if err != nil {
			s.err = err

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

// Next answers the next event. It answers io.EOF when the server has ended the stream, and the context's error
// when ctx ends first, after which Next can be called again.
func (s *Stream) Next(ctx context.Context) (Event, error) {
	select {
	case event := <-s.events:
		s.seen(event.ID)

		return event, nil
	case <-s.done:
		if errors.Is(s.err, io.EOF) {
			s.seen(s.reader.LastEventID())
		}

		return Event{}, s.err
	case <-ctx.Done():
		return Event{}, fmt.Errorf("wait for event: %w", ctx.Err())
	}
}

// Header answers the header of the response.
func (s *Stream) Header() http.Header { return s.response.Header }

func (s *Stream) seen(id string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.lastID = id
}

// LastEventID answers what a reconnecting client would send as Last-Event-ID, empty if nothing. It is that of
// the last event that Next has answered: what was read ahead does not count as seen. After Next has answered
// io.EOF it is the stream's own.
func (s *Stream) LastEventID() string {
	s.mu.Lock()
	defer s.mu.Unlock()

	return s.lastID
}

// Retry answers the reconnection time that the stream has set last, 0 if none.
func (s *Stream) Retry() time.Duration { return s.reader.Retry() }

// Comments answers how many comments came so far; heartbeats are comments.
func (s *Stream) Comments() int { return s.reader.Comments() }

// Close ends the connection and waits until nothing of it is left. It may be called more than once.
func (s *Stream) Close() error {
	s.cancel()
	err := s.response.Body.Close()
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
