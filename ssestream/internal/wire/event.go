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

// AppendRetry appends a block that sets the client's reconnection time and dispatches nothing.
func AppendRetry(dst []byte, d time.Duration) []byte {
	dst = append(dst, "retry: "...)
	dst = strconv.AppendInt(dst, d.Milliseconds(), 10)

	return append(dst, "\n\n"...)
}

// Reserved reports whether EventSource itself dispatches events of that name, so that a page could not tell ours
// from them.
func Reserved(name string) bool { return name == "error" || name == "open" }
