package ssestream

import (
	"bytes"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"
)

// maxEventIDLength bounds event IDs: a Last-Event-ID header above 128 bytes makes a cross-origin reconnect
// need a CORS preflight.
const maxEventIDLength = 128

// heartbeat is a comment: it keeps proxies from closing an idle stream, finds dead peers, and reaches no script.
const heartbeat = ":\n\n"

var (
	errEventNameBreak    = errors.New("event name contains a line break")
	errEventNameReserved = errors.New("event name is reserved: EventSource dispatches it itself")
	errEventID           = fmt.Errorf("event ID is not printable ASCII of at most %d bytes", maxEventIDLength)
)

// appendFrame appends one SSE event to dst, ready to be written at once. An empty name or id is left out; data
// is always there, for an event without data is never dispatched.
func appendFrame(dst []byte, name, id string, data []byte) ([]byte, error) {
	dst, err := appendHead(dst, name, id)
	if err != nil {
		return dst, err
	}

	return append(appendData(dst, data), '\n'), nil
}

// appendHead appends the fields that come before the data.
func appendHead(dst []byte, name, id string) ([]byte, error) {
	if strings.ContainsAny(name, "\r\n") {
		return dst, fmt.Errorf("encode event %q: %w", name, errEventNameBreak)
	}
	if id != "" && !validEventID(id) {
		return dst, fmt.Errorf("encode event ID %q: %w", id, errEventID)
	}

	if name != "" {
		dst = appendName(dst, strings.ToValidUTF8(name, "\uFFFD"))
	}
	if id != "" {
		dst = append(dst, "id: "...)
		dst = append(dst, id...)
		dst = append(dst, '\n')
	}

	return dst, nil
}

func appendName[S ~string | ~[]byte](dst []byte, name S) []byte {
	dst = append(dst, "event: "...)
	dst = append(dst, name...)

	return append(dst, '\n')
}

// appendData appends one data field a line; LF, CR and CRLF each end a line, as they do for the peer's parser.
func appendData(dst, data []byte) []byte {
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

// appendRetry appends a block that sets the client's reconnection time and dispatches nothing.
func appendRetry(dst []byte, d time.Duration) []byte {
	dst = append(dst, "retry: "...)
	dst = strconv.AppendInt(dst, d.Milliseconds(), 10)

	return append(dst, "\n\n"...)
}

// validEventID says whether id can go into an id field and an entity tag alike.
func validEventID(id string) bool {
	if len(id) > maxEventIDLength {
		return false
	}
	for i := range len(id) {
		if c := id[i]; c <= ' ' || c >= 0x7f || c == '"' {
			return false
		}
	}

	return true
}

// reservedEvent says whether EventSource dispatches events of that name on its own account, so that a page
// could not tell ours from a connection's.
func reservedEvent(name string) bool {
	return name == "error" || name == "open"
}
