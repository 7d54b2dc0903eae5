package ssestreamtest

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"time"
)

// ErrClosed is returned by [EventSource.Next] after Close.
var ErrClosed = errors.New("event source is closed")

// defaultRetry is the reconnection time until a stream sets one. The standard leaves it to the browser: "in the region
// of a few seconds".
const defaultRetry = 3 * time.Second

// ReadyState is the state of an [EventSource]'s connection, with the numbers of the standard (section 9.2.2).
type ReadyState int

const (
	// StateConnecting is the state before the first response, and between the end of a stream and the next response.
	StateConnecting ReadyState = iota
	// StateOpen is the state while a stream is read.
	StateOpen
	// StateClosed is the final state.
	StateClosed
)

// String returns "connecting", "open" or "closed".
func (s ReadyState) String() string {
	switch s {
	case StateConnecting:
		return "connecting"
	case StateOpen:
		return "open"
	default:
		return "closed"
	}
}

// EventSource is a client that reconnects as section 9.2.3 "Processing model" of the standard requires:
//
//   - When a stream ends, or no response comes, it connects again after the reconnection time: that of the last
//     retry field, or 3 seconds.
//   - It sends the ID of the last complete block, with data or without, as Last-Event-ID. IDs and retry fields
//     outlive their stream.
//   - A status other than 200 or another content type closes it. A server sends 204 to do so on purpose.
//   - Redirects are followed by the http.Client. Every connection begins with the first URL.
//
// Events are read only as fast as Next is called. Its methods are safe for concurrent use.
type EventSource struct {
	client   *http.Client
	url      string
	settings settings
	cancel   context.CancelCauseFunc
	done     chan struct{}
	changes  changes

	mu      sync.Mutex
	state   ReadyState
	opened  int     // number of connections so far
	reader  *Reader // of the last connection
	lastID  string
	failure error     // why the last request had no response
	err     error     // why the source has ended
	offered *Arrival  // what Next returns
	taken   chan bool // receives when Next has returned it
}

// Open starts to follow the stream at url, and returns at once. The source ends when Close is called, when ctx ends, or
// when a response is not a stream. The caller must call Close in any case. A nil client means http.DefaultClient. The
// Timeout of a client ends every stream.
func Open(ctx context.Context, client *http.Client, url string, options ...Option) *EventSource {
	s := &EventSource{
		client:   client,
		url:      url,
		settings: newSettings(options),
		done:     make(chan struct{}),
		reader:   NewReader(strings.NewReader("")),
	}
	s.lastID = s.settings.lastEventID
	ctx, s.cancel = context.WithCancelCause(ctx)
	go s.run(ctx)

	return s
}

// Next returns the next event, of this connection or a later one. When the source has ended, it returns a
// [*ResponseError] (the response was not a stream), [ErrClosed] (after Close), or the error of the context of [Open].
// When ctx ends first, it returns the error of ctx with the state of the source, and can be called again.
func (s *EventSource) Next(ctx context.Context) (Event, error) {
	arrival, err := s.follow(ctx)

	return arrival.Event, err
}

func (s *EventSource) follow(ctx context.Context) (Arrival, error) {
	for {
		changed := s.changes.next()
		if arrival, ok, err := s.take(); ok || err != nil {
			return arrival, err
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return Arrival{}, s.waitError(ctx.Err())
		}
	}
}

func (s *EventSource) waitError(err error) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.failure != nil {
		return fmt.Errorf("wait for event (%s, connections: %d, last: %v): %w", s.state, s.opened, s.failure, err) //nolint:errorlint // the failure is not why Next fails
	}

	return fmt.Errorf("wait for event (%s, connections: %d): %w", s.state, s.opened, err)
}

// ReadyState returns the state of the connection.
func (s *EventSource) ReadyState() ReadyState {
	s.mu.Lock()
	defer s.mu.Unlock()

	return s.state
}

// Connections returns how many streams have been opened: how often a browser would have fired "open".
func (s *EventSource) Connections() int {
	s.mu.Lock()
	defer s.mu.Unlock()

	return s.opened
}

// LastEventID returns what the next connection would send as Last-Event-ID, or "". An event counts once Next has
// returned it, a block without data once it was read.
func (s *EventSource) LastEventID() string {
	s.mu.Lock()
	defer s.mu.Unlock()

	return s.lastID
}

// Retry returns the reconnection time that a stream set last, or 0. [WithMaxWait] does not change it.
func (s *EventSource) Retry() time.Duration {
	s.mu.Lock()
	defer s.mu.Unlock()

	return s.reader.Retry()
}

// Comments returns the number of comments so far, on all connections. Heartbeats are comments.
func (s *EventSource) Comments() int {
	s.mu.Lock()
	defer s.mu.Unlock()

	return s.reader.Comments()
}

func (s *EventSource) connections() int { return s.Connections() }

func (s *EventSource) watch() *changes { return &s.changes }

// Close ends the source and waits for its goroutines. It returns nil, and may be called more than once.
func (s *EventSource) Close() error {
	s.cancel(ErrClosed)
	<-s.done

	return nil
}
