package room_test

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ThreeDotsLabs/watermill"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/otel/metric/noop"
	tracenoop "go.opentelemetry.io/otel/trace/noop"

	"github.com/feedmill/feedmill/ssestream/internal/coding"
	"github.com/feedmill/feedmill/ssestream/internal/observe"
	"github.com/feedmill/feedmill/ssestream/internal/room"
	"github.com/feedmill/feedmill/ssestream/internal/wire"
	"github.com/feedmill/feedmill/ssestream/ssestreamtest"
)

var (
	errStore    = errors.New("the store is away")
	errTooLarge = errors.New("the state is too large")
)

// library has one text, the rooms that serve it, and readers.
type library struct {
	*testing.T
	rooms   *room.Rooms
	readers []*reader

	mu      sync.Mutex
	text    any
	failing bool
}

// newLibrary is for a bubble.
func newLibrary(t *testing.T) *library {
	t.Helper()
	closed, cancel := context.WithCancel(t.Context())
	var tasks sync.WaitGroup
	t.Cleanup(func() {
		cancel()
		tasks.Wait()
	})
	metrics, err := observe.NewMetrics(noop.NewMeterProvider())
	require.NoError(t, err)
	l := &library{T: t, text: ""}
	problem := func(string, error) []byte { return []byte("{}") }
	l.rooms = room.New(&room.Config{
		Closed: closed, Go: tasks.Go,
		Spawn: func(f func()) bool {
			tasks.Go(f)

			return true
		},
		Slots: room.NewSlots(4, time.Second), MinBackoff: time.Second, MaxBackoff: time.Second,
		Metrics: metrics, Logger: watermill.NopLogger{},
		Traces: observe.NewTraces(tracenoop.NewTracerProvider(), nil, watermill.NopLogger{}),
		Final:  func(error) bool { return false }, Problem: problem, Stale: problem,
	}, "texts", l.load, func(string) {})

	return l
}

func (l *library) load(context.Context, string, []int) (*room.State, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.failing {
		return nil, errStore
	}
	if err, ok := l.text.(error); ok {
		return &room.State{Forms: []room.Form{{Err: err}}}, nil
	}
	var encoded bytes.Buffer
	encoder := json.NewEncoder(&encoded)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(l.text); err != nil {
		return nil, err
	}
	data := bytes.TrimSpace(encoded.Bytes())
	id := wire.Stamp(data)
	frame, err := wire.AppendEvent(nil, "data", id, data)
	form := room.Form{
		ID: id, Frame: coding.NewText(frame, false), Data: coding.NewText(wire.AppendData(nil, data), false),
		Text: room.NewGrowth(data, id, false),
	}

	return &room.State{Forms: []room.Form{form}}, err
}

// change makes the text another, and waits until it is loaded.
func (l *library) change(text any) {
	l.mu.Lock()
	l.text = text
	l.mu.Unlock()
	l.settle()
}

func (l *library) fail(failing bool) {
	l.mu.Lock()
	l.failing = failing
	l.mu.Unlock()
}

// settle waits until what is there is loaded, or has failed for so long that readers are told.
func (l *library) settle() {
	l.rooms.Mark([]string{"text"}, func() observe.Cause { return observe.Cause{} })
	<-time.After(10 * time.Second)
	l.rooms.TellStale(5 * time.Second)
	synctest.Wait()
}

// reader follows the text by what is sent to it.
type reader struct {
	*library

	kind   int // which coding, and of one stream or several
	client *room.Client
	sent   []byte // on this connection
	before any    // the text that it had when it connected
	events int    // that appended
	whole  int    // that had the whole text
}

var codings = []coding.Coding{coding.Identity, coding.Gzip} //nolint:gochecknoglobals // a constant

func (l *library) join(kind int) *reader {
	r := &reader{library: l, kind: kind % 4}
	l.readers = append(l.readers, r)
	r.connect("")

	return r
}

func (r *reader) coding() coding.Coding { return codings[r.kind%2] }

func (r *reader) several() bool { return r.kind >= 2 }

func (r *reader) connect(lastEventID string) {
	if r.client != nil {
		r.client.Leave()
	}
	stream := ""
	if r.several() {
		stream = "log"
		r.client = room.NewStreams(1, lastEventID)
	} else {
		r.client = room.NewClient(lastEventID)
	}
	r.client.Compress(r.coding())
	r.sent = append([]byte(nil), r.client.Other([]byte(":\n"))...)
	require.True(r, r.rooms.Join(r.client, "text", stream, 0))
}

// reconnect resumes with the ID that the reader has.
func (r *reader) reconnect() {
	text, id := r.shown()
	r.before = text
	r.connect(id)
}

// read takes what is due.
func (r *reader) read() {
	var buf []byte
	for {
		frame, more := r.client.Next(&buf)
		require.True(r, more)
		if frame == nil {
			return
		}
		r.sent = append(r.sent, frame...)
		r.client.Written()
	}
}

// shown returns the text as a page shows it, by what was sent on the connection, and the last event ID.
func (r *reader) shown() (text any, id string) {
	var stream io.Reader = bytes.NewReader(r.sent)
	if r.coding() == coding.Gzip {
		decoded, err := gzip.NewReader(stream)
		require.NoError(r, err)
		stream = decoded
	}
	events := ssestreamtest.NewReader(stream)
	text, r.events, r.whole = r.before, 0, 0
	for {
		event, err := events.Next()
		if err != nil {
			return text, events.LastEventID()
		}
		var data any
		require.NoError(r, json.Unmarshal([]byte(event.Data), &data))
		switch event.Type {
		case "data", "log":
			r.whole++
			text = data
		case "append", "append log":
			r.events++
			text = fmt.Sprint(text) + fmt.Sprint(data)
		}
	}
}

// TestOnlyWhatWasAppended is sent, whatever a reader has skipped, and whole texts to all others.
func TestOnlyWhatWasAppended(t *testing.T) {
	t.Parallel()
	for kind := range 4 {
		t.Run(fmt.Sprint(kind), func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				l := newLibrary(t)
				r := l.join(kind)
				see := func(text any, whole, events int) {
					t.Helper()
					r.read()
					shown, _ := r.shown()
					assert.Equal(t, text, shown)
					assert.Equal(t, whole, r.whole, "whole texts")
					assert.Equal(t, events, r.events, "events that append")
				}
				l.change("")
				see("", 1, 0)
				l.change("one\n")
				see("one\n", 1, 1)
				l.change("one\n\"twö\u2028")
				l.change("one\n\"twö\u2028<three>")
				see("one\n\"twö\u2028<three>", 1, 2)
				l.change("one")
				see("one", 2, 2)
				l.change("one two")
				l.change("two")
				l.change("one two three")
				see("one two three", 3, 2) // It was another text meanwhile.
				l.change(4.0)
				see(4.0, 4, 2)
				l.change("five")
				see("five", 5, 2)
				l.fail(true)
				l.settle()
				r.read()
				l.fail(false)
				l.change("five, six")
				see("five, six", 6, 2) // A problem came between.

				r.reconnect()
				l.change("five, six")
				see("five, six", 0, 0)
				l.change("five, six, seven")
				see("five, six, seven", 0, 1) // It has come back with what there was.
				r.reconnect()
				l.change("five, six, seven, eight")
				see("five, six, seven, eight", 1, 0)
			})
		})
	}
}

// TestATextAfterOneThatCouldNotBeSent is sent whole to a reader that was not told of that.
func TestATextAfterOneThatCouldNotBeSent(t *testing.T) {
	t.Parallel()
	for _, after := range []string{"x", "another text, longer than before"} {
		synctest.Test(t, func(t *testing.T) {
			l := newLibrary(t)
			r := l.join(0)
			l.change("a text of some length")
			r.read()
			l.change(errTooLarge) // The reader skips it.
			l.change(after)
			r.read()
			shown, _ := r.shown()
			assert.Equal(t, after, shown)
			l.change(after + ", and more")
			r.read()
			shown, _ = r.shown()
			assert.Equal(t, after+", and more", shown)
		})
	}
}

// step changes the text, or has readers come, read, or come back.
func (l *library) step(what, which byte) {
	text, _ := l.text.(string)
	part := strings.Repeat([]string{"a", "é\n", "\"\\", "<😀>", "\x00\r\n", "\xff"}[which%6], 1+int(which/16))
	switch what % 8 {
	case 0, 1:
		l.change(text + part)
	case 2:
		l.change(part)
	case 3:
		l.change(text[:len(text)/2])
	case 4:
		switch which % 8 {
		case 0:
			l.change(float64(which))
		case 2:
			l.change(errTooLarge)
		}
		l.fail(which%4 == 1)
		l.settle()
	case 5:
		if len(l.readers) < 12 {
			l.join(int(which))
		}
	default:
		if len(l.readers) == 0 {
			return
		}
		r := l.readers[int(which)%len(l.readers)]
		r.read()
		if what%8 == 7 && which >= 128 {
			r.reconnect()
		}
	}
}

// converge has all readers read, and show what is there.
func (l *library) converge() {
	l.fail(false)
	if _, ok := l.text.(error); ok {
		l.text = "at last"
	}
	l.settle()
	encoded, err := json.Marshal(l.text)
	require.NoError(l, err)
	var want any
	require.NoError(l, json.Unmarshal(encoded, &want))
	for _, r := range l.readers {
		r.read()
		shown, _ := r.shown()
		require.Equal(l, want, shown)
	}
}

// FuzzGrowth has a text grow, shrink and be replaced, while readers join, skip and come back. Each shows the text in the end.
func FuzzGrowth(f *testing.F) {
	f.Add([]byte("\x05\x00\x00\x00\x06\x00\x00\x11\x06\x00"))                         // a reader in step
	f.Add([]byte("\x05\x00\x00\x00\x06\x00\x00\x11\x00\x23\x06\x00"))                 // that skips
	f.Add([]byte("\x05\x01\x05\x02\x00\x44\x06\x00\x00\x11\x06\x01\x00\x33\x07\x80")) // joins in the middle, and comes back
	f.Add([]byte("\x05\x00\x00\x25\x06\x00\x03\x00\x06\x00\x00\x25\x02\x00\x00\x00")) // half a character
	f.Add([]byte("\x05\x03\x00\x00\x06\x00\x04\x01\x06\x00\x00\x00\x04\x00\x06\x00")) // a problem
	f.Add([]byte("\x05\x00\x00\x25\x06\x00\x04\x02\x02\x00\x06\x00"))                 // a text that could not be sent, which is skipped
	f.Fuzz(func(t *testing.T, steps []byte) {
		synctest.Test(t, func(t *testing.T) {
			l := newLibrary(t)
			for i := 1; i < min(len(steps), 200); i += 2 {
				l.step(steps[i-1], steps[i])
			}
			l.converge()
		})
	})
}

// TestGrowth is FuzzGrowth for long.
func TestGrowth(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		random := rand.New(rand.NewPCG(1, 2))
		for range 100 {
			l := newLibrary(t)
			for range 60 {
				l.step(byte(random.Uint32()), byte(random.Uint32()))
			}
			l.converge()
		}
	})
}
