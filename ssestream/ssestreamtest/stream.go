package ssestreamtest

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"time"
)

// Option changes the request of [Connect].
type Option func(r *http.Request)

// WithLastEventID connects as a client that has seen the event with that ID. An empty one changes nothing.
func WithLastEventID(id string) Option {
	return func(r *http.Request) {
		if id != "" {
			r.Header.Set("Last-Event-ID", id)
		}
	}
}

// WithHeader sets a header field of the request.
func WithHeader(name, value string) Option {
	return func(r *http.Request) { r.Header.Set(name, value) }
}

// ResponseError says that the answer was no event stream. An EventSource would give up for good.
type ResponseError struct {
	// StatusCode, Header and Body are the answer's. Body is cut after 64 KiB.
	StatusCode int
	Header     http.Header
	Body       string
}

// Error says what was answered.
func (e *ResponseError) Error() string {
	return fmt.Sprintf("not an event stream: status %d, content type %q: %s",
		e.StatusCode, e.Header.Get("Content-Type"), e.Body)
}

// Stream is an open connection to an event stream. Its methods are safe for concurrent use.
type Stream struct {
	reader   *Reader
	response *http.Response
	cancel   context.CancelFunc
	events   chan Event
	done     chan struct{} // closed when err is set
	err      error

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
	if client == nil {
		client = http.DefaultClient
	}
	ctx, cancel := context.WithCancel(ctx)
	response, err := request(ctx, client, url, options) //nolint:bodyclose // Stream.Close closes it
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
	go s.read(ctx)

	return s, nil
}

func request(ctx context.Context, client *http.Client, url string, options []Option) (*http.Response, error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, url, http.NoBody)
	if err != nil {
		return nil, err
	}
	r.Header.Set("Accept", "text/event-stream")
	r.Header.Set("Cache-Control", "no-store")
	for _, option := range options {
		option(r)
	}
	response, err := client.Do(r)
	if err != nil {
		return nil, err
	}
	mediaType, _, _ := strings.Cut(response.Header.Get("Content-Type"), ";")
	if response.StatusCode == http.StatusOK && strings.TrimSpace(mediaType) == "text/event-stream" {
		return response, nil
	}
	body, err := io.ReadAll(io.LimitReader(response.Body, 64<<10))
	err = errors.Join(err, response.Body.Close())

	return nil, errors.Join(&ResponseError{
		StatusCode: response.StatusCode, Header: response.Header, Body: string(body),
	}, err)
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
