package ssestreamtest

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"time"
)

// ErrClosed is returned by Next of an [EventSource] after Close.
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
	*client

	http     *http.Client
	url      string
	settings settings
}

// Open starts to follow the stream at url, and returns at once. The source ends when Close is called, when ctx ends, or
// when a response is not a stream. The caller must call Close in any case. A nil client means http.DefaultClient. The
// Timeout of a client ends every stream.
//
// When the source has ended, its Next returns [ErrClosed] (after Close), the error of ctx, or a [*ResponseError] (the
// response was not a stream).
func Open(ctx context.Context, client *http.Client, url string, options ...Option) *EventSource {
	c, ctx := newClient(ctx)
	s := &EventSource{client: c, http: client, url: url, settings: newSettings(options)}
	c.lastID, c.reader.lastID = s.settings.lastEventID, s.settings.lastEventID
	go func() {
		defer close(c.done)
		c.end(fmt.Errorf("follow %s: %w", url, s.run(ctx)))
	}()

	return s
}

// ReadyState returns the state of the connection.
func (s *EventSource) ReadyState() ReadyState {
	s.mu.Lock()
	defer s.mu.Unlock()

	return s.state
}

// Connections returns how many streams have been opened: how often a browser would have fired "open".
func (s *EventSource) Connections() int { return s.connections() }

// run connects again and again, and returns why it does not any more.
func (s *EventSource) run(ctx context.Context) error {
	if _, err := url.Parse(s.url); err != nil {
		return err // It would fail each time.
	}
	for ctx.Err() == nil {
		response, err := s.settings.connect(ctx, s.http, s.url, s.LastEventID())
		if _, refused := errors.AsType[*ResponseError](err); refused {
			return err
		}
		if err == nil {
			s.begin(response)
			_ = s.read(ctx) // A client does not care how a stream ends.
			_ = response.Body.Close()
		}
		s.pause(ctx, err)
	}

	return context.Cause(ctx)
}

// pause waits for the reconnection time, after a stream has ended or, with a failure, no response has come.
func (s *EventSource) pause(ctx context.Context, failure error) {
	s.mu.Lock()
	s.state, s.failure = StateConnecting, failure
	s.mu.Unlock()
	s.changes.notify()
	timer := time.NewTimer(min(s.reader.reconnectionTime(defaultRetry), s.settings.maxWait))
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}
