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

// ErrClosed is what [EventSource.Next] answers after Close.
var ErrClosed = errors.New("event source is closed")

// defaultRetry is the reconnection time as long as no stream has set one. The standard leaves it to the browser,
// "in the region of a few seconds".
const defaultRetry = 3 * time.Second

// ReadyState is the state of an [EventSource]'s connection, with the numbers of the standard (section 9.2.2).
type ReadyState int

const (
	// StateConnecting is before the first response, and again from the end of a stream to the next response.
	StateConnecting ReadyState = iota
	// StateOpen is while a stream is read.
	StateOpen
	// StateClosed is for good.
	StateClosed
)

// String answers "connecting", "open" or "closed".
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

// EventSource is a client that reconnects as a browser's EventSource does, by section 9.2.3 "Processing model" of
// the standard:
//
//   - when a stream ends, in order or not, or when there is no response at all, also the first time, it connects
//     again after the reconnection time: what the last retry field said, 3 seconds if there was none;
//   - it then sends as Last-Event-ID the ID of the last block that was complete, with data or without. IDs and
//     retry fields outlive the stream that they came in, as in browsers;
//   - a status other than 200 and a content type other than text/event-stream end it for good. 204 is how a
//     server says so on purpose;
//   - redirects are the http.Client's to follow. Every connection begins with the first URL again.
//
// It waits no longer between failures than between streams. Events are read only as fast as Next is called; a
// test that does not call it is a client that has stalled. Its methods are safe for concurrent use.
type EventSource struct {
	client   *http.Client
	url      string
	settings settings
	cancel   context.CancelCauseFunc
	done     chan struct{}
	changes  changes

	mu      sync.Mutex
	state   ReadyState
	opened  int     // connections
	reader  *Reader // of the last connection
	lastID  string
	failure error     // why there was no response, the last time
	err     error     // why it has ended
	offered *Arrival  // what Next will answer
	taken   chan bool // says that Next has
}

// Open begins to follow the stream at url and answers at once. It goes on until Close is called, which has to be
// called in any case, until ctx ends, or until an answer ends it. A nil client stands for http.DefaultClient. A
// client with a Timeout has it end every stream.
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

// Next answers the next event, of this connection or a later one. It answers a [*ResponseError] when an answer has
// ended the source, [ErrClosed] after Close, and the error of the context of [Open] after its end, every time.
// When ctx ends first it answers the error of ctx, and says in its text what the source is at; it can be called
// again.
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
			return Arrival{}, s.late(ctx.Err())
		}
	}
}

func (s *EventSource) late(err error) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.failure != nil {
		return fmt.Errorf("wait for event (%s, connections: %d, last: %v): %w", s.state, s.opened, s.failure, err) //nolint:errorlint // the failure is not why Next fails
	}

	return fmt.Errorf("wait for event (%s, connections: %d): %w", s.state, s.opened, err)
}

// ReadyState answers what the source is at.
func (s *EventSource) ReadyState() ReadyState {
	s.mu.Lock()
	defer s.mu.Unlock()

	return s.state
}

// Connections answers how many streams were opened so far: how often a browser would have fired "open".
func (s *EventSource) Connections() int {
	s.mu.Lock()
	defer s.mu.Unlock()

	return s.opened
}

// LastEventID answers what the next connection would send as Last-Event-ID, empty if nothing. An event counts when
// Next has answered it, a block without data when it has come.
func (s *EventSource) LastEventID() string {
	s.mu.Lock()
	defer s.mu.Unlock()

	return s.lastID
}

// Retry answers the reconnection time that the streams have set last, 0 if none, whatever [WithMaxWait] says.
func (s *EventSource) Retry() time.Duration {
	s.mu.Lock()
	defer s.mu.Unlock()

	return s.reader.Retry()
}

// Comments answers how many comments came so far on all connections; heartbeats are comments.
func (s *EventSource) Comments() int {
	s.mu.Lock()
	defer s.mu.Unlock()

	return s.reader.Comments()
}

func (s *EventSource) connections() int { return s.Connections() }

func (s *EventSource) watch() *changes { return &s.changes }

// Close ends the source and waits until nothing of it is left. It answers nil, and may be called more than once.
func (s *EventSource) Close() error {
	s.cancel(ErrClosed)
	<-s.done

	return nil
}
