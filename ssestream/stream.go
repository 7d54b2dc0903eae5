package ssestream

import (
	"errors"
	"fmt"
	"net/http"
	"time"
)

// errTooSlow says that the peer did not take what was written to it in time.
var errTooSlow = errors.New("peer is too slow")

// stream is a response that is written as an event stream, by one goroutine.
type stream struct {
	w       http.ResponseWriter
	control *http.ResponseController
	writeBy func() time.Time // when a write that begins now has to be done
	preface []byte           // goes out with the first write

	interval time.Duration
	timer    *time.Timer
	silent   <-chan time.Time // fires when a heartbeat is due, nil if there are none
}

func newStream(w http.ResponseWriter, writeBy func() time.Time, heartbeats time.Duration) *stream {
	return &stream{w: w, control: http.NewResponseController(w), writeBy: writeBy, interval: heartbeats}
}

// requireFlush refuses a writer that could only keep the events to itself.
func requireFlush(w http.ResponseWriter) error {
	if !canFlush(w) {
		return fmt.Errorf("stream to %T: %w", w, ErrNoFlush)
	}

	return nil
}

// canFlush looks for what http.ResponseController.Flush would use, without sending anything.
func canFlush(w http.ResponseWriter) bool {
	for {
		switch t := w.(type) {
		case interface{ FlushError() error }, http.Flusher:
			return true
		case interface{ Unwrap() http.ResponseWriter }:
			w = t.Unwrap()
		default:
			return false
		}
	}
}

// open begins the response. The preface goes out with whatever is sent first.
func (s *stream) open(preface []byte) {
	writeHeader(s.w)
	s.preface = preface
	if s.interval > 0 {
		s.timer = time.NewTimer(s.interval)
		s.silent = s.timer.C
	}
}

func writeHeader(w http.ResponseWriter) {
	streamHeader(w.Header())
	w.WriteHeader(http.StatusOK)
}

func streamHeader(header http.Header) {
	header.Set("Content-Type", "text/event-stream")
	header.Set("Cache-Control", "no-cache")
	header.Set("X-Accel-Buffering", "no")
	header.Add("Vary", "Accept")
	header.Del("Content-Length")
}

// maxJoined is how large a first frame may be to be copied behind the preface, so that it is one write.
const maxJoined = 4 << 10

// send writes and flushes p in time, where the writer has deadlines. After an error the stream is over: part of p
// may have been sent.
func (s *stream) send(p []byte) error {
	var first []byte
	if len(s.preface) > 0 {
		first, s.preface = s.preface, nil
		if len(p) <= maxJoined {
			first, p = nil, append(first, p...)
		}
	}
	by := s.writeBy()
	if err := s.deadline(by); err != nil {
		return err
	}
	err := s.write(first, p)
	if err != nil && !time.Now().Before(by) {
		// Every protocol has an error of its own for it.
		err = errors.Join(errTooSlow, err)
	}
	if err != nil {
		return fmt.Errorf("write to stream: %w", err)
	}
	if s.timer != nil {
		s.timer.Reset(s.interval)
	}

	// On HTTP/2 a deadline that passes between writes would reset the stream.
	return s.deadline(time.Time{})
}

// write writes the parts and flushes them together.
func (s *stream) write(parts ...[]byte) error {
	for _, p := range parts {
		if len(p) == 0 {
			continue
		}
		if _, err := s.w.Write(p); err != nil {
			return err
		}
	}

	return s.control.Flush()
}

// begin sends what opens the stream, if nothing was sent yet.
func (s *stream) begin() error {
	if len(s.preface) == 0 {
		return nil
	}

	return s.send(nil)
}

// finish bounds the writes with which net/http ends the response: the peer may have stopped reading.
func (s *stream) finish() {
	if s.timer != nil {
		s.timer.Stop()
	}
	_ = s.deadline(s.writeBy()) // The stream ends either way.
}

func (s *stream) deadline(t time.Time) error {
	err := s.control.SetWriteDeadline(t)
	if err != nil && !errors.Is(err, http.ErrNotSupported) {
		return fmt.Errorf("set write deadline of stream: %w", err)
	}

	return nil
}
