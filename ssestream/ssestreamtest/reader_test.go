package ssestreamtest_test

import (
	"fmt"
	"io"
	"math"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/feedmill/feedmill/ssestream/ssestreamtest"
)

// TestReader tests WHATWG HTML 9.2.5 "Parsing an event stream" and 9.2.6 "Interpreting an event stream". A star marks
// an example of the standard.
func TestReader(t *testing.T) {
	t.Parallel()

	type events = []ssestreamtest.Event
	for name, test := range map[string]struct {
		stream string
		want   events
		lastID string
		retry  time.Duration
	}{
		"9.2.6* three lines": {
			stream: "data: YHOO\ndata: +2\ndata: 10\n\n",
			want:   events{{Type: "message", Data: "YHOO\n+2\n10"}},
		},
		"9.2.6* comment, ids, reset of id, leading space": {
			stream: ": test stream\n\ndata: first event\nid: 1\n\ndata:second event\nid\n\ndata:  third event\n\n",
			want: events{
				{Type: "message", Data: "first event", ID: "1"},
				{Type: "message", Data: "second event"},
				{Type: "message", Data: " third event"},
			},
		},
		"9.2.6* empty data, two lines, incomplete block": {
			stream: "data\n\ndata\ndata\n\ndata:",
			want:   events{{Type: "message"}, {Type: "message", Data: "\n"}},
		},
		"9.2.6* one space is dropped": {
			stream: "data:test\n\ndata: test\n\n",
			want:   events{{Type: "message", Data: "test"}, {Type: "message", Data: "test"}},
		},
		"9.2.5 lines end with CR, LF and CRLF": {
			stream: "data: a\rdata: b\r\ndata: c\n\r\ndata: d\r\r",
			want:   events{{Type: "message", Data: "a\nb\nc"}, {Type: "message", Data: "d"}},
		},
		"9.2.5 one leading BOM is dropped": {
			stream: "\uFEFFdata: a\n\n\uFEFFdata: b\n\n",
			want:   events{{Type: "message", Data: "a"}},
		},
		"9.2.5 half a BOM is a field name": {
			stream: "\xEF\xBBdata: a\n\ndata: b\n\n",
			want:   events{{Type: "message", Data: "b"}},
		},
		"9.2.6 event without data is not dispatched, its name is forgotten": {
			stream: "event: lost\n\ndata: x\n\n",
			want:   events{{Type: "message", Data: "x"}},
		},
		"9.2.6 id counts without data": {
			stream: "id: 7\n\n", lastID: "7",
		},
		"9.2.6 id with NUL is ignored": {
			stream: "id: 7\n\nid: 8\x00\ndata: x\n\n",
			want:   events{{Type: "message", Data: "x", ID: "7"}}, lastID: "7",
		},
		"9.2.6 id of an incomplete block does not count": {
			stream: "id: 7\ndata: x\n\nid: 8\n",
			want:   events{{Type: "message", Data: "x", ID: "7"}}, lastID: "7",
		},
		"9.2.6 retry is digits": {
			stream: "retry: 1500\nretry: -1\nretry: 2s\nretry\n\n", retry: 1500 * time.Millisecond,
		},
		"9.2.6 retry of any length": {
			stream: "retry: 99999999999999999999\n\n", retry: math.MaxInt64 - math.MaxInt64%time.Millisecond,
		},
		"9.2.6 unknown field": {
			stream: "datum: x\ndata : y\nevent: n\ndata: z\n\n",
			want:   events{{Type: "n", Data: "z"}},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for _, r := range []io.Reader{
				strings.NewReader(test.stream), iotest.OneByteReader(strings.NewReader(test.stream)),
			} {
				reader := ssestreamtest.NewReader(r)
				var got events
				event, err := reader.Next()
				for ; err == nil; event, err = reader.Next() {
					got = append(got, event)
				}
				require.ErrorIs(t, err, io.EOF)
				assert.Equal(t, test.want, got)
				if test.lastID != "" {
					assert.Equal(t, test.lastID, reader.LastEventID())
				}
				assert.Equal(t, test.retry, reader.Retry())
			}
		})
	}
}

func TestReaderDoesNotWaitAfterCR(t *testing.T) {
	t.Parallel()

	in, out := io.Pipe()
	defer in.Close()
	go func() { _, _ = out.Write([]byte("data: x\r\r")) }()
	event, err := ssestreamtest.NewReader(in).Next()
	require.NoError(t, err)
	assert.Equal(t, "x", event.Data)
}

func TestReaderPassesErrorsOn(t *testing.T) {
	t.Parallel()

	_, err := ssestreamtest.NewReader(iotest.ErrReader(io.ErrUnexpectedEOF)).Next()
	require.ErrorIs(t, err, io.ErrUnexpectedEOF)
}

func ExampleReader() {
	w := httptest.NewRecorder()
	http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprint(w, "retry: 2000\n: a comment\nevent: note\nid: 1\ndata: two\ndata: lines\n\ndata: cut off")
	}).ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/", http.NoBody))

	reader := ssestreamtest.NewReader(w.Body)
	for {
		event, err := reader.Next()
		if err != nil {
			fmt.Println(err)

			break
		}
		fmt.Printf("%s %s %q\n", event.Type, event.ID, event.Data)
	}
	fmt.Println(reader.LastEventID(), reader.Retry(), reader.Comments())
	// Output:
	// note 1 "two\nlines"
	// EOF
	// 1 2s 1
}
