// Package wire has what the tests of the wire format send, and the one rule for what a parser has to read of it.
package wire

import (
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"strings"
)

// Sent is what an application gives a router for one SSE event: any bytes.
type Sent struct {
	Event string
	ID    string
	Data  []byte
}

// Received is an SSE event as a parser dispatches it.
type Received struct {
	Type string `json:"type"`
	Data string `json:"data"`
	ID   string `json:"id"`
}

// maxIDLength is the length of the longest version that is not replaced by its hash.
const maxIDLength = 128

// Received returns what every parser has to read of s. It is what was sent, except where the standard (WHATWG HTML,
// sections 9.2.5 and 9.2.6) leaves no way to send it, or an EventSource could not send it back:
//
//   - an event without a name is dispatched as "message";
//   - a stream is UTF-8, so every run of other bytes in a name or in data becomes one U+FFFD;
//   - CR, LF and CRLF each end a line of data, and a parser joins lines by LF;
//   - an ID that is not printable ASCII without space and quote, or too long, is replaced by its hash.
func (s Sent) Received() Received {
	r := Received{
		Type: strings.ToValidUTF8(s.Event, "\uFFFD"),
		Data: strings.NewReplacer("\r\n", "\n", "\r", "\n").Replace(strings.ToValidUTF8(string(s.Data), "\uFFFD")),
		ID:   s.ID,
	}
	if r.Type == "" {
		r.Type = "message"
	}
	unfit := func(c rune) bool { return c <= ' ' || c > '~' || c == '"' }
	if len(s.ID) > maxIDLength || strings.ContainsFunc(s.ID, unfit) {
		sum := sha256.Sum256([]byte(s.ID))
		r.ID = base64.RawURLEncoding.EncodeToString(sum[:12])
	}
	return r
}

// Refused reports whether the router must not send the event: the name would end its line, or a page would take the
// event for one of EventSource's own.
func (s Sent) Refused() bool {
	return strings.ContainsAny(s.Event, "\r\n") || s.Event == "error" || s.Event == "open"
}

// Difference describes the first event that was not read as expected, or returns the empty string.
func Difference(want, got []Received) string {
	for i := range min(len(want), len(got)) {
		if want[i] != got[i] {
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
