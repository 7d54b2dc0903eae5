package ssestreamtest

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"math"
	"strconv"
	"strings"
	"sync"
	"time"
)

// Event is a dispatched event.
type Event struct {
	// Type is the event's name. It is "message" if the stream has none.
	Type string
	// Data is the event's data. Lines are joined by LF.
	Data string
	// ID is the last event ID as of this event. It may come from an earlier block.
	ID string
}

// Reader reads events from a byte stream. Only one goroutine may call Next. LastEventID, Retry and Comments may be called
// by others meanwhile, and include what Next has read so far.
type Reader struct {
	r         *bufio.Reader
	began     bool // the position of a byte order mark is behind
	afterCR   bool // a LF that follows belongs to the previous line end
	eventType string
	data      strings.Builder
	id        string

	commented func() // called after every comment; may be nil

	mu       sync.Mutex
	lastID   string
	retry    time.Duration
	retrySet bool // retry may have been set to 0
	comments int
}

// NewReader returns a Reader of r.
func NewReader(r io.Reader) *Reader {
	return &Reader{r: bufio.NewReader(r)}
}

// Next returns the next event, or io.EOF at the end of the stream. An incomplete event at the end is dropped, as the
// standard requires.
func (r *Reader) Next() (Event, error) {
	for {
		event, ok, err := r.block()
		if ok || err != nil {
			return event, err
		}
	}
}

// block reads one block and reports whether it had data. Without data only the ID of the returned event counts.
func (r *Reader) block() (Event, bool, error) {
	for {
		line, err := r.line()
		if err != nil {
			return Event{}, false, err
		}
		if line == "" {
			event, ok := r.dispatch()

			return event, ok, nil
		}
		r.interpret(line)
	}
}

// reset makes the reader continue with another stream of the same client. The last ID, the retry time and the number of
// comments stay.
func (r *Reader) reset(stream io.Reader) {
	r.r.Reset(stream)
	r.data.Reset()
	r.began, r.afterCR, r.eventType, r.id = false, false, "", r.LastEventID()
}

// LastEventID returns what a reconnecting client would send as Last-Event-ID, or "".
func (r *Reader) LastEventID() string {
	r.mu.Lock()
	defer r.mu.Unlock()

	return r.lastID
}

// Retry returns the reconnection time that the stream set last, or 0.
func (r *Reader) Retry() time.Duration {
	r.mu.Lock()
	defer r.mu.Unlock()

	return r.retry
}

// Comments returns the number of comments so far. Heartbeats are comments.
func (r *Reader) Comments() int {
	r.mu.Lock()
	defer r.mu.Unlock()

	return r.comments
}

// line returns the next line without its end, which is CR, LF or CRLF. It does not read beyond a CR, because nothing
// may follow for a long time.
func (r *Reader) line() (string, error) {
	if err := r.skipMark(); err != nil {
		return "", err
	}
	var line []byte
	for {
		if _, err := r.r.Peek(1); err != nil {
			return "", ended(err)
		}
		here, err := r.r.Peek(r.r.Buffered())
		if err != nil {
			return "", ended(err)
		}
		taken := 0
		if r.afterCR && here[0] == '\n' {
			here, taken = here[1:], 1
		}
		r.afterCR = false
		end := bytes.IndexAny(here, "\r\n")
		if end >= 0 {
			r.afterCR = here[end] == '\r'
			here, taken = here[:end], taken+1
		}
		line = append(line, here...)
		if _, err := r.r.Discard(taken + len(here)); err != nil {
			return "", ended(err)
		}
		if end >= 0 {
			return string(bytes.ToValidUTF8(line, []byte("\uFFFD"))), nil
		}
	}
}

// skipMark skips one byte order mark at the start. It reads byte by byte, so that it does not wait for three bytes.
func (r *Reader) skipMark() error {
	const mark = "\xEF\xBB\xBF"
	for n := 1; !r.began; n++ {
		head, err := r.r.Peek(n)
		if err != nil && len(head) == 0 {
			return ended(err)
		}
		r.began = err != nil || string(head) == mark || !strings.HasPrefix(mark, string(head))
		if string(head) == mark {
			_, err = r.r.Discard(n)
			if err != nil {
				return fmt.Errorf("skip byte order mark: %w", err)
			}
		}
	}

	return nil
}

func ended(err error) error {
	if errors.Is(err, io.EOF) {
		return io.EOF
	}

	return fmt.Errorf("read event stream: %w", err)
}

// interpret processes one line that is not blank.
func (r *Reader) interpret(line string) {
	field, value, _ := strings.Cut(line, ":")
	value = strings.TrimPrefix(value, " ")
	switch field {
	case "":
		r.mu.Lock()
		r.comments++
		r.mu.Unlock()
		if r.commented != nil {
			r.commented()
		}
	case "event":
		r.eventType = value
	case "data":
		r.data.WriteString(value)
		r.data.WriteByte('\n')
	case "id":
		if !strings.Contains(value, "\x00") {
			r.id = value
		}
	case "retry":
		r.setRetry(value)
	}
}

// setRetry ignores a value that is not all ASCII digits.
func (r *Reader) setRetry(value string) {
	if strings.Trim(value, "0123456789") != "" {
		return
	}
	milliseconds, err := strconv.ParseInt(value, 10, 64)
	if err != nil && !errors.Is(err, strconv.ErrRange) {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.retry = time.Duration(min(milliseconds, math.MaxInt64/int64(time.Millisecond))) * time.Millisecond
	r.retrySet = true
}

// reconnectionTime returns the time that a retry field set last, or fallback.
func (r *Reader) reconnectionTime(fallback time.Duration) time.Duration {
	r.mu.Lock()
	defer r.mu.Unlock()
	if !r.retrySet {
		return fallback
	}

	return r.retry
}

// dispatch ends a block and reports whether it is an event, that is, whether it had data.
func (r *Reader) dispatch() (Event, bool) {
	r.mu.Lock()
	r.lastID = r.id
	r.mu.Unlock()
	event := Event{Type: r.eventType, Data: strings.TrimSuffix(r.data.String(), "\n"), ID: r.id}
	ok := r.data.Len() > 0
	r.eventType = ""
	r.data.Reset()
	if event.Type == "" {
		event.Type = "message"
	}

	return event, ok
}
