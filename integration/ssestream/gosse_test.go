package ssestream_test

import (
	"bytes"
	"io"
	"iter"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"github.com/tmaxmax/go-sse"

	"github.com/feedmill/feedmill/integration/ssestream/internal/stage"
	"github.com/feedmill/feedmill/integration/ssestream/internal/wire"
)

// readGoSSE reads a stream with go-sse's client, which leaves the type "message" out.
func readGoSSE(body io.Reader) iter.Seq2[wire.Received, error] {
	events := sse.Read(body, &sse.ReadConfig{MaxEventSize: 64 << 20})
	return func(yield func(wire.Received, error) bool) {
		events(func(event sse.Event, err error) bool {
			if event.Type == "" {
				event.Type = "message"
			}
			return yield(wire.Received{Type: event.Type, Data: event.Data, ID: event.LastEventID}, err)
		})
	}
}

// FuzzGoSSE sends any bytes between two other events: what leaks out of an event shows in its neighbours. Fuzz with
// -fuzzminimizetime 10x: a server's coverage differs from run to run, and go would minimize for ever.
func FuzzGoSSE(f *testing.F) {
	for _, text := range wire.Nasty() {
		if len(text) < 1<<12 {
			f.Add("data", []byte(text))
			f.Add(text, []byte("named"))
		}
	}
	show := stage.New(f)
	server := httptest.NewServer(show.Shared)
	f.Cleanup(func() {
		http.DefaultClient.CloseIdleConnections()
		server.Close()
	})
	f.Fuzz(func(t *testing.T, event string, data []byte) {
		before, after := wire.Sent{HasID: true, Data: []byte("before")}, wire.Sent{HasID: true, Data: []byte("after")}
		sent := wire.Sent{Event: event, HasID: true, Data: data}
		if event == "" && (string(data) == "before" || string(data) == "after") { // a client is not sent what it has
			sent.Event = "another"
		}
		show.Show(t, before)
		next, stop := iter.Pull2(readGoSSE(request(t, server.URL, 10*time.Second)))
		defer stop()
		receive := func(want wire.Received) {
			got, err, ok := next()
			if ok && sent.Refused() && got.Type == "problem" { // the page may be told that it cannot be sent
				got, err, ok = next()
			}
			require.True(t, ok, "the stream ended")
			require.NoError(t, err)
			require.Equal(t, want, got.WithAnyID())
		}
		receive(before.Received())
		show.Show(t, sent)
		if !sent.Refused() {
			receive(sent.Received())
		}
		show.Show(t, after)
		receive(after.Received())
	})
}

// TestGoSSE reads the corpus that the other parsers read.
func TestGoSSE(t *testing.T) {
	t.Parallel()
	onBothHandlers(t, func(t *testing.T, stream []byte, want []wire.Received) {
		t.Helper()
		var read []wire.Received
		for got, err := range readGoSSE(bytes.NewReader(stream)) {
			require.NoError(t, err)
			read = append(read, got)
		}
		assert.Empty(t, wire.Difference(want, read))
	})
}
