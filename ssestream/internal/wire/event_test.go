package wire_test

import (
	"bytes"
	"errors"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/feedmill/feedmill/ssestream/internal/wire"
	"github.com/feedmill/feedmill/ssestream/ssestreamtest"
)

// TestFrame names the section of the WHATWG HTML standard, or the reason, for every rule.
func TestFrame(t *testing.T) {
	t.Parallel()

	for name, test := range map[string]struct {
		event, id, data, want string
	}{
		"as the stock router's, and an id":               {"data", "v1", `{"a":1}`, "event: data\nid: v1\ndata: {\"a\":1}\n\n"},
		"9.2.6 an empty event name is left out":          {"", "v1", "x", "id: v1\ndata: x\n\n"},
		"9.2.6 an empty id would reset the last":         {"data", "", "x", "event: data\ndata: x\n\n"},
		"9.2.6 empty data is a field, or no event comes": {"data", "", "", "event: data\ndata: \n\n"},
		"9.2.6 one leading space is the field's":         {"", "", " x", "data:  x\n\n"},
		"9.2.5 LF ends a line":                           {"", "", "a\nb", "data: a\ndata: b\n\n"},
		"9.2.5 CR ends a line":                           {"", "", "a\rid: 666", "data: a\ndata: id: 666\n\n"},
		"9.2.5 CRLF ends one line":                       {"", "", "a\r\nb", "data: a\ndata: b\n\n"},
		"9.2.5 LFCR ends two":                            {"", "", "a\n\rb", "data: a\ndata: \ndata: b\n\n"},
		"9.2.5 a last line end is a last line":           {"", "", "a\n", "data: a\ndata: \n\n"},
		"9.2.5 a stream is UTF-8":                        {"\xff", "", "a\xffb", "event: \uFFFD\ndata: a\uFFFDb\n\n"},
		"9.2.5 a BOM in data is behind its field":        {"", "", "\uFEFFx", "data: \uFEFFx\n\n"},
		"9.2.5 a BOM in a name is behind its field":      {"\uFEFF", "", "x", "event: \uFEFF\ndata: x\n\n"},
		"9.2.5 U+2028 and U+0085 end no line":            {"", "", "a\u2028b\u0085", "data: a\u2028b\u0085\n\n"},
		"9.2.5 a name is any text in a line":             {"a: b\x00", "", "x", "event: a: b\x00\ndata: x\n\n"},
		"9.2.6 a name of spaces keeps them":              {" ", "", "x", "event:  \ndata: x\n\n"},
		"9.2.6 no field is read in data":                 {"", "", "id: 6\n:c\n\nretry: 1", "data: id: 6\ndata: :c\ndata: \ndata: retry: 1\n\n"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got, err := wire.AppendEvent(nil, test.event, test.id, []byte(test.data))
			require.NoError(t, err)
			assert.Equal(t, test.want, string(got))
		})
	}
}

func TestFrameRefusals(t *testing.T) {
	t.Parallel()

	for name, test := range map[string]struct {
		event, id string
		want      error
	}{
		"9.2.5 LF in an event name would end its line": {"a\ndata: x", "", wire.ErrEventName},
		"9.2.5 CR in an event name would end its line": {"a\rdata: x", "", wire.ErrEventName},
		"9.2.5 LF in an id would end its line":         {"", "a\nb", wire.ErrEventID},
		"9.2.5 CR in an id would end its line":         {"", "a\rb", wire.ErrEventID},
		"9.2.6 an id with NUL is ignored by the peer":  {"", "a\x00b", wire.ErrEventID},
		"an id over 128 bytes forces a preflight":      {"", strings.Repeat("i", 129), wire.ErrEventID},
		"an id that is not ASCII forces a preflight":   {"", "é", wire.ErrEventID},
		"an id with DEL forces a preflight":            {"", "a\x7f", wire.ErrEventID},
		"an id with a quote would end an entity tag":   {"", `a"b`, wire.ErrEventID},
		"an id with a space is no entity tag":          {"", "a b", wire.ErrEventID},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got, err := wire.AppendEvent([]byte("before"), test.event, test.id, nil)
			require.ErrorIs(t, err, test.want)
			assert.Equal(t, "before", string(got))
		})
	}
	_, err := wire.AppendEvent(nil, "", strings.Repeat("i", 128), nil)
	require.NoError(t, err)
}

// TestWithoutAnEvent is about blocks that set something, or keep a connection open, and dispatch nothing.
func TestWithoutAnEvent(t *testing.T) {
	t.Parallel()

	for name, test := range map[string]struct{ got, want string }{
		"9.2.6 a retry is digits alone, in milliseconds": {string(wire.AppendRetry(nil, 1500*time.Millisecond)), "retry: 1500\n\n"},
		"9.2.6 a retry has no fraction":                  {string(wire.AppendRetry(nil, 1999*time.Microsecond)), "retry: 1\n\n"},
		"9.2.6 a heartbeat is a comment":                 {wire.Heartbeat, ":\n\n"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			assert.Equal(t, test.want, test.got)
			_, err := ssestreamtest.NewReader(strings.NewReader(test.got)).Next()
			require.ErrorIs(t, err, io.EOF)
		})
	}
}

// FuzzFrame has a parser that goes by the standard read back what was sent.
func FuzzFrame(f *testing.F) {
	for _, seed := range []string{
		"", "x", " x", "a\nb", "a\rid: 666", "a\r\nb", "\n", "\r", "\r\n", "\n\r", "\r\r\n\n", "a\x00b", "\xff\xfe",
		"\uFEFF", "data: x\n\nevent: y", ":comment", "\xe2\x80", "\u2028",
	} {
		f.Add("data", "v1", []byte(seed))
		f.Add(seed, "", []byte("x"))
		f.Add("", seed, []byte(""))
	}
	lines := strings.NewReplacer("\r\n", "\n", "\r", "\n")
	f.Fuzz(func(t *testing.T, event, id string, data []byte) {
		frame, err := wire.AppendEvent(nil, event, id, data)
		if err != nil {
			refused := errors.Is(err, wire.ErrEventName) && strings.ContainsAny(event, "\r\n") ||
				errors.Is(err, wire.ErrEventID) && !wire.ValidEventID(id)
			require.True(t, refused, err)
			require.Empty(t, frame)

			return
		}
		require.False(t, bytes.HasPrefix(frame, []byte("\uFEFF")), "9.2.5 takes a BOM at the start of a stream for none of its text")
		// Twice and between other frames: what leaks out of a frame shows in its neighbours.
		stream := bytes.Join([][]byte{[]byte(": hello\n\n"), frame, frame, []byte("data: end\n\n")}, nil)
		reader := ssestreamtest.NewReader(bytes.NewReader(stream))
		want := ssestreamtest.Event{
			Type: strings.ToValidUTF8(event, "\uFFFD"),
			Data: lines.Replace(strings.ToValidUTF8(string(data), "\uFFFD")),
			ID:   id,
		}
		if event == "" {
			want.Type = "message"
		}
		for range 2 {
			got, err := reader.Next()
			require.NoError(t, err)
			require.Equal(t, want, got)
		}
		got, err := reader.Next()
		require.NoError(t, err)
		require.Equal(t, ssestreamtest.Event{Type: "message", Data: "end", ID: id}, got)
		_, err = reader.Next()
		require.ErrorIs(t, err, io.EOF)
		require.Equal(t, 1, reader.Comments())
	})
}
