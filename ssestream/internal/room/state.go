package room

import (
	"slices"
	"sync/atomic"
	"time"

	"go.opentelemetry.io/otel/trace"

	"github.com/feedmill/feedmill/ssestream/internal/coding"
	"github.com/feedmill/feedmill/ssestream/internal/observe"
)

// State is a state in the bytes that all clients share, in each form that one of them follows.
type State struct {
	Forms []Form // those that nobody follows are empty
	JSON  []byte // nil if no form has it

	number  uint64 // counts the room's states
	cause   observe.Cause
	span    trace.SpanContext // of the load, if it is traced
	loaded  time.Time
	written atomic.Bool // by one client at least
}

// Form is the event of a state in one form, such as JSON.
type Form struct {
	ID    string       // the hash of what is sent
	Frame *coding.Text // the whole event, for a connection of its own
	Name  string       // the event's name on a connection of several streams, empty for the stream's
	Data  *coding.Text // its data fields, for such a connection
	Err   error        // why there is no event
	Text  *Growth      // nil unless the state is a text of which the end may be sent
}

// failure returns why one of the forms could not be made, if any could not.
func (s *State) failure() error {
	for i := range s.Forms {
		if err := s.Forms[i].Err; err != nil {
			return err
		}
	}

	return nil
}

// expect tells the texts of each form how many members follow it. Who joins later has no text before, and needs no dictionary.
func (s *State) expect(following []int) {
	for i := range min(len(s.Forms), len(following)) {
		s.Forms[i].Frame.Expect(following[i])
		s.Forms[i].Data.Expect(following[i])
		if t := s.Forms[i].Text; t != nil {
			t.peers = following[i]
		}
	}
}

// follow gives s its number, after the state before it, which may be nil.
func (s *State) follow(before *State, number uint64) {
	s.number = number
	for i := range s.Forms {
		var text *Growth
		if before != nil && i < len(before.Forms) {
			text = before.Forms[i].Text
		}
		s.Forms[i].Text.follow(text, number)
	}
}

// equal reports whether the states are the same in the same forms.
func (s *State) equal(other *State) bool {
	return slices.EqualFunc(s.Forms, other.Forms, func(a, b Form) bool { return a.ID == b.ID && (a.Err == nil) == (b.Err == nil) })
}

// shows reports whether the states are the same in each form that both have.
func (s *State) shows(other *State) bool {
	for i := range min(len(s.Forms), len(other.Forms)) {
		if a, b := s.Forms[i].ID, other.Forms[i].ID; a != b && a != "" && b != "" {
			return false
		}
	}

	return true
}

// replace makes s, the same state in other forms, take the place of before.
func (s *State) replace(before *State) {
	s.follow(before, before.number+1) // Who has before.number may have a text from before one that could not be sent.
	s.number = before.number
	if s.cause.Since.IsZero() { // Not all clients may have been written what was caused.
		s.cause, s.span, s.loaded = before.cause, before.span, before.loaded
		s.written.Store(before.written.Load())
	}
}
