package ssestream_test

import (
	"context"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/rs/cors"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/feedmill/feedmill/integration/ssestream/internal/stage"
	"github.com/feedmill/feedmill/integration/ssestream/internal/wire"
	"github.com/feedmill/feedmill/ssestream/ssestreamtest"
)

const origin = "https://app.example.com"

// TestPreflight asks as a browser does before a page may send Last-Event-ID to another origin.
func TestPreflight(t *testing.T) {
	t.Parallel()
	show := stage.New(t)
	for name, test := range map[string]struct {
		allow          *cors.Cors
		origin         string
		origins, names string
	}{
		"as documented":             {stage.AllowOrigin(origin), origin, origin, "last-event-id"},
		"of a page elsewhere":       {stage.AllowOrigin(origin), "https://elsewhere.example.com", "", ""},
		"without the header's name": {cors.New(cors.Options{AllowedOrigins: []string{origin}}), origin, "", ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server := stage.Serve(t, test.allow.Handler(show.Shared))
			r, err := http.NewRequestWithContext(t.Context(), http.MethodOptions, server.URL, http.NoBody)
			require.NoError(t, err)
			r.Header.Set("Origin", test.origin)
			r.Header.Set("Access-Control-Request-Method", http.MethodGet)
			r.Header.Set("Access-Control-Request-Headers", "last-event-id")
			response, err := http.DefaultClient.Do(r)
			require.NoError(t, err)
			require.NoError(t, response.Body.Close())
			assert.Equal(t, http.StatusNoContent, response.StatusCode)
			assert.Equal(t, test.origins, response.Header.Get("Access-Control-Allow-Origin"))
			assert.Equal(t, test.names, response.Header.Get("Access-Control-Allow-Headers"))
		})
	}
}

// TestCrossOriginReconnect reconnects as a page of another origin does after its connection was cut.
func TestCrossOriginReconnect(t *testing.T) {
	t.Parallel()
	for name, wrapped := range stage.Writers() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			show := stage.New(t)
			server := stage.Serve(t, stage.AllowOrigin(origin).Handler(wrapped(show.Shared)))
			one, two := wire.Sent{HasID: true, Data: []byte("one")}, wire.Sent{HasID: true, Data: []byte("two")}

			show.Show(t, one)
			first := connect(t, server, "")
			assert.Equal(t, one.Received(), next(t, first))
			had := first.LastEventID()
			server.Cut()
			ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
			defer cancel()
			_, err := first.Next(ctx)
			require.Error(t, err)
			require.NoError(t, ctx.Err(), "it was not cut")

			// The state that the page has is not sent again; the next state is.
			second := connect(t, server, had)
			require.Eventually(t, func() bool { return second.Retry() > 0 }, time.Minute, time.Millisecond, "it opens")
			show.Show(t, two)
			assert.Equal(t, two.Received(), next(t, second))
			// A page that missed the change gets the state at once.
			assert.Equal(t, two.Received(), next(t, connect(t, server, had)))
		})
	}
}

// connect connects as a page of the allowed origin, which has to be told that it may read the answer.
func connect(t *testing.T, server *stage.Server, lastEventID string) *ssestreamtest.Stream {
	t.Helper()
	stream, err := ssestreamtest.Connect(t.Context(), nil, server.URL,
		ssestreamtest.WithHeader("Origin", origin), ssestreamtest.WithLastEventID(lastEventID))
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, stream.Close()) })
	assert.Equal(t, origin, stream.Header().Get("Access-Control-Allow-Origin"))
	assert.Equal(t, "Origin, Accept", strings.Join(stream.Header().Values("Vary"), ", "))
	return stream
}

func next(t *testing.T, stream *ssestreamtest.Stream) wire.Received {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	event, err := stream.Next(ctx)
	require.NoError(t, err)
	return wire.Received{Type: event.Type, Data: event.Data, ID: event.ID}.WithAnyID()
}
