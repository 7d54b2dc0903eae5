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
			f.Add("data", "v1", []byte(text))
			f.Add(text, "v1", []byte("named"))
			f.Add("", text, []byte("identified"))
		}
	}
	show := stage.New(f)
	server := httptest.NewServer(show.Shared)
	f.Cleanup(func() {
		http.DefaultClient.CloseIdleConnections()
		server.Close()
	})
	f.Fuzz(func(t *testing.T, event, id string, data []byte) {
		before, after := wire.Sent{ID: "before", Data: []byte("b")}, wire.Sent{ID: "after", Data: []byte("a")}
		if id == before.ID || id == after.ID { // a client is not sent what it has
			id += " and another"
		}
		sent := wire.Sent{Event: event, ID: id, Data: data}
		show.Show(t, before)
		next, stop := iter.Pull2(readGoSSE(request(t, server.URL, 10*time.Second)))
		defer stop()
		receive := func(want wire.Received) {
			got, err, ok := next()
			require.True(t, ok, "the stream ended")
			require.NoError(t, err)
			if want.ID == "" {
				want.ID = got.ID // the router makes one
			}
			require.Equal(t, want, got)
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
