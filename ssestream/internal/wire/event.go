// Package wire encodes what streams and plain responses carry: events, event IDs and entity tags. The numbers in
// its comments are sections of the WHATWG HTML standard.
package wire

import (
	"bytes"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"
)

// Heartbeat is a comment. It keeps proxies from closing an idle stream, detects dead peers, and reaches no script.
const Heartbeat = ":\n\n"

// HeartbeatEvent names the event that is the heartbeat of clients whose scripts watch for it.
const HeartbeatEvent = "heartbeat"

// ProblemEvent names the event that tells of a stream that is refused, on a connection of several, or whose state is stale.
const ProblemEvent = "problem"

// AppendEventName names the event that appends to a text. On a connection of several streams a space and the stream's name follow.
const AppendEventName = "append"

// VisibleHeartbeat is a heartbeat that reaches scripts.
const VisibleHeartbeat = "event: " + HeartbeatEvent + "\ndata:\n\n"

// Message is the name by which EventSource dispatches an event without a name.
const Message = "message"

var (
	// ErrEventName is returned for an event name that contains a line break.
	ErrEventName = errors.New("event name contains a line break")
	// ErrFrameTooLarge is for events that are larger than a router allows.
	ErrFrameTooLarge = errors.New("frame is too large")
)

// AppendEvent appends an event, ready to be written. An empty name or id is left out. The data field is always
// there, for an event without data is never dispatched (9.2.6).
func AppendEvent(dst []byte, name, id string, data []byte) ([]byte, error) {
	dst, err := AppendHead(dst, name, id)
	if err != nil {
		return dst, err
	}

	return append(AppendData(dst, data), '\n'), nil
}

// AppendHead appends the fields that precede the data.
func AppendHead(dst []byte, name, id string) ([]byte, error) {
	if strings.ContainsAny(name, "\r\n") {
		return dst, fmt.Errorf("encode event %q: %w", name, ErrEventName)
	}
	if id != "" && !ValidEventID(id) {
		return dst, fmt.Errorf("encode event ID %q: %w", id, ErrEventID)
	}
	if name != "" {
		dst = AppendName(dst, strings.ToValidUTF8(name, "\uFFFD"))
	}
	if id != "" {
		dst = append(dst, "id: "...)
		dst = append(dst, id...)
		dst = append(dst, '\n')
	}

	return dst, nil
}

// AppendName appends an event name, which must be valid UTF-8 without line breaks.
func AppendName(dst []byte, name string) []byte {
	dst = append(dst, "event: "...)
	dst = append(dst, name...)

	return append(dst, '\n')
}

// AppendData appends one data field for each line. LF, CR and CRLF end a line, as they do for the parser (9.2.5).
func AppendData(dst, data []byte) []byte {
	if !utf8.Valid(data) { // ToValidUTF8 copies in any case.
		data = bytes.ToValidUTF8(data, []byte("\uFFFD"))
	}
	for {
		dst = append(dst, "data: "...)
		end := bytes.IndexAny(data, "\r\n")
		if end < 0 {
			return append(append(dst, data...), '\n')
		}
		dst = append(append(dst, data[:end]...), '\n')
		if data[end] == '\r' && end+1 < len(data) && data[end+1] == '\n' {
			end++
		}
		data = data[end+1:]
	}
}

// Line returns the data of which AppendData has made one field.
func Line(field []byte) []byte {
	return bytes.TrimSuffix(bytes.TrimPrefix(field, []byte("data: ")), []byte("\n"))
}

// AppendRetry appends a block that sets the client's reconnection time and dispatches nothing.
func AppendRetry(dst []byte, d time.Duration) []byte {
	dst = append(dst, "retry: "...)
	dst = strconv.AppendInt(dst, d.Milliseconds(), 10)

	return append(dst, "\n\n"...)
}

// AppendFirstHeartbeat appends the visible heartbeat that begins a stream. Its data is the milliseconds from one to the
// next.
func AppendFirstHeartbeat(dst []byte, interval time.Duration) []byte {
	dst = AppendName(dst, HeartbeatEvent)

	return append(AppendData(dst, strconv.AppendInt(nil, interval.Milliseconds(), 10)), '\n')
}

// Reserved reports whether events of that name mean something else than a state: EventSource itself dispatches error and
// open, so that a page could not tell ours from them, and a stream has problems and heartbeats beside its states.
func Reserved(name string) bool {
	return name == "error" || name == "open" || name == ProblemEvent || name == HeartbeatEvent
}
