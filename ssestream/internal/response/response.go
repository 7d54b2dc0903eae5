// Package response writes event streams as HTTP responses, from the goroutines of their requests. What it has in
// common with connections that are taken over, the header and the writing in time, is here for both.
package response

import (
	"context"
	"errors"
	"net/http"
	"sync/atomic"
	"time"

	"github.com/feedmill/feedmill/ssestream/internal/observe"
	"github.com/feedmill/feedmill/ssestream/internal/socket"
)

// past is a deadline that has passed.
var past = time.Unix(1, 0) //nolint:gochecknoglobals // it is a constant

// Terms are what the streams of a router have in common.
type Terms struct {
	Heartbeat time.Duration    // how long a stream may be silent, 0 for any time
	Dead      time.Duration    // how long a peer may take nothing of what was sent
	Closed    <-chan struct{}  // closed when all streams have to end
	WriteBy   func() time.Time // when a write that begins now has to be done
	Preface   func() []byte    // the beginning of a stream
	Farewell  func() []byte    // the end of a stream whose router closes
	Go        func(f func())   // starts a goroutine that the router waits for
	Counters  *observe.Counters
}

// Ended reports whether all streams have to end.
func (t *Terms) Ended() bool {
	select {
	case <-t.Closed:
		return true
	default:
		return false
	}
}

// Source is what a stream carries. Only one goroutine at a time uses it.
type Source interface {
	// Next returns the frame to write next, nil if nothing is due, and whether the stream goes on. The frame may be
	// in buf, which Next grows as it needs.
	Next(buf *[]byte) (frame []byte, more bool)
	// Written notes that the last frame of Next has been written.
	Written()
	// Heartbeat returns what is written when the stream has been silent.
	Heartbeat() []byte
	// Other returns what is written for bytes that are not of the source. The stream begins with such.
	Other(p []byte) []byte
}

// Serve responds with a stream of what the source has, whenever ready receives, until ctx or the stream ends. Notices,
// if there are any, are sent with whatever is sent first.
func Serve(
	ctx context.Context, w http.ResponseWriter, terms Terms, notices []byte, source Source, ready <-chan struct{},
) {
	WriteHeader(w)
	conn := socket.Of(ctx)
	defer conn.Begin(terms.Dead)()
	s := &stream{terms: terms, peer: newHTTPPeer(w, conn), preface: source.Other(append(terms.Preface(), notices...))}
	defer s.peer.release()
	defer s.interrupted(ctx)()
	if terms.Heartbeat > 0 {
		s.timer = time.NewTimer(terms.Heartbeat)
		defer s.timer.Stop()
		s.silent = s.timer.C
	}
	if err := s.serve(ctx, source, ready); errors.Is(err, ErrTooSlow) {
		terms.Counters.Dropped.Add(1)
	}
	// Bound the writes with which net/http ends the response, for the peer may have stopped reading.
	_ = s.peer.SetWriteDeadline(terms.WriteBy()) // The stream ends either way.
}

// stream is an event stream on an http.ResponseWriter.
type stream struct {
	terms   Terms
	peer    httpPeer
	preface []byte // goes out with the first frame
	timer   *time.Timer
	silent  <-chan time.Time // nil without heartbeats
	writing atomic.Bool
}

// interrupted has the end of ctx end a write that is under way. The returned function ends that.
func (s *stream) interrupted(ctx context.Context) (release func()) {
	done := make(chan struct{})
	stop := context.AfterFunc(ctx, func() {
		defer close(done)
		if s.writing.Load() { // Else not, for on HTTP/2 it resets the stream.
			_ = s.peer.SetWriteDeadline(past) // The write ends when it is due, then.
		}
	})
	writeBy := s.terms.WriteBy
	s.terms.WriteBy = func() time.Time {
		if ctx.Err() != nil {
			return past
		}

		return writeBy()
	}

	return func() {
		if !stop() {
			<-done
		}
	}
}

func (s *stream) serve(ctx context.Context, source Source, ready <-chan struct{}) error {
	var buf []byte
	for {
		if more, err := s.sendDue(ctx, source, &buf); err != nil || !more {
			return err
		}
		select {
		case <-ready:
		case <-s.silent:
			if err := s.send(source.Heartbeat()); err != nil {
				return err
			}
		case <-ctx.Done():
			return nil
		case <-s.terms.Closed:
			return s.send(source.Other(s.terms.Farewell()))
		}
	}
}

// send writes a frame in time, where the writer has deadlines. After an error the stream is over, for part of the
// frame may have been sent.
func (s *stream) send(frame []byte) error {
	s.writing.Store(true)
	defer s.writing.Store(false)
	parts := Join(s.preface, frame)
	s.preface = nil
	if err := Write(s.peer, s.terms.WriteBy, parts...); err != nil {
		return err
	}
	if s.timer != nil {
		s.timer.Reset(s.terms.Heartbeat)
	}

	return nil
}

// over reports whether nothing more is to be sent.
func (s *stream) over(ctx context.Context) bool { return ctx.Err() != nil || s.terms.Ended() }

// sendDue sends all that is due, the first time at least the preface, and reports whether the stream goes on.
func (s *stream) sendDue(ctx context.Context, source Source, buf *[]byte) (more bool, err error) {
	for !s.over(ctx) {
		frame, more := source.Next(buf)
		if s.over(ctx) { // It may have ended while the source was asked.
			break
		}
		switch {
		case !more:
			return false, nil
		case frame == nil && s.preface == nil:
			return true, nil
		case frame == nil:
			return true, s.send(nil)
		}
		if err := s.send(frame); err != nil {
			return false, err
		}
		source.Written()
	}

	return true, nil
}

// End responds with a stream of one frame, which ends at once. It is net/http that writes it, after the handler.
func End(w http.ResponseWriter, by time.Time, frame []byte) {
	WriteHeader(w)
	_ = http.NewResponseController(w).SetWriteDeadline(by)
	_, _ = w.Write(frame) // The peer may be gone.
}
