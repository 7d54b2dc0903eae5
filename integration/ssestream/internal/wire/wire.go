// Package wire has what the tests of the wire format send, and the one rule for what a parser has to read of it.
package wire

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
)

// Sent is what an application gives a router for one SSE event: any bytes.
type Sent struct {
	Event string
	HasID bool
	Data  []byte
}

// Received is an SSE event as a parser dispatches it.
type Received struct {
	Type string `json:"type"`
	Data string `json:"data"`
	ID   string `json:"id"`
}

// AnID stands for an event ID of the router, which is a hash.
const AnID = "an ID"

var hash = regexp.MustCompile(`^[\w-]{16}$`)

// WithAnyID returns the event with AnID in the place of an ID of the router.
func (r Received) WithAnyID() Received {
	if hash.MatchString(r.ID) {
		r.ID = AnID
	}
	return r
}

// Received returns what every parser has to read of s. It is what was sent, except where the standard (WHATWG HTML,
// sections 9.2.5 and 9.2.6) leaves no way to send it, or an EventSource could not send it back:
//
//   - an event without a name is dispatched as "message";
//   - a stream is UTF-8, so every run of other bytes in a name or in data becomes one U+FFFD;
//   - CR, LF and CRLF each end a line of data, and a parser joins lines by LF.
func (s Sent) Received() Received {
	r := Received{
		Type: strings.ToValidUTF8(s.Event, "\uFFFD"),
		Data: strings.NewReplacer("\r\n", "\n", "\r", "\n").Replace(strings.ToValidUTF8(string(s.Data), "\uFFFD")),
	}
	if s.HasID {
		r.ID = AnID
	}
	if r.Type == "" {
		r.Type = "message"
	}
	return r
}

// Refused reports whether the router must not send the event: the name would end its line, or a page would take the
// event for another than one of a state.
func (s Sent) Refused() bool {
	return strings.ContainsAny(s.Event, "\r\n") || slices.Contains([]string{"error", "open", "problem", "heartbeat"}, s.Event)
}

// Difference describes the first event that was not read as expected, or returns the empty string.
func Difference(want, got []Received) string {
	for i := range min(len(want), len(got)) {
		if want[i] != got[i].WithAnyID() {
			return fmt.Sprintf("event %d: want %.300q, got %.300q", i, want[i], got[i])
		}
	}
	switch {
	case len(got) < len(want):
		return fmt.Sprintf("event %d did not come: %.300q", len(got), want[len(got)])
	case len(got) > len(want):
		return fmt.Sprintf("event %d was not sent: %.300q", len(want), got[len(want)])
	default:
		return ""
	}
}

// Reading returns what a parser has to read of all that was sent.
func Reading(all []Sent) []Received {
	read := make([]Received, 0, len(all))
	for _, s := range all {
		read = append(read, s.Received())
	}
	return read
}
