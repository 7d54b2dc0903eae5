package ssestream_test

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/feedmill/feedmill/integration/ssestream/internal/stage"
	"github.com/feedmill/feedmill/integration/ssestream/internal/wire"
)

// onBothHandlers has f read the corpus as a typed adapter sent it, and as one for the stock router did.
func onBothHandlers(t *testing.T, f func(t *testing.T, stream []byte, want []wire.Received)) {
	t.Helper()
	for _, kind := range []string{"shared", "plain"} {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			show, corpus := stage.New(t), wire.Corpus()
			handler := show.Shared
			if kind == "plain" {
				handler = show.Plain
				for i := range corpus {
					corpus[i].HasID = false
				}
			}
			f(t, record(t, show, handler, corpus), wire.Reading(corpus))
		})
	}
}

// record returns the bytes of a stream on which the whole corpus was sent.
func record(t *testing.T, show *stage.Stage, handler http.Handler, all []wire.Sent) []byte {
	t.Helper()
	server := httptest.NewServer(handler)
	t.Cleanup(server.Close)
	type recording struct {
		stream []byte
		err    error
	}
	recorded := make(chan recording, 1)
	show.Perform(t, all, func() {
		body := request(t, server.URL, 2*time.Minute)
		go func() {
			stream, err := io.ReadAll(body)
			recorded <- recording{stream, err}
		}()
	})
	show.End(t)
	got := <-recorded
	require.NoError(t, got.err)
	return got.stream
}

// request asks for a stream, which ends with the test, or when its time is over.
func request(tb testing.TB, url string, limit time.Duration) io.Reader {
	tb.Helper()
	ctx, cancel := context.WithTimeout(tb.Context(), limit)
	tb.Cleanup(cancel)
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, url, http.NoBody)
	require.NoError(tb, err)
	r.Header.Set("Accept", "text/event-stream")
	response, err := http.DefaultClient.Do(r)
	require.NoError(tb, err)
	tb.Cleanup(func() { _ = response.Body.Close() })
	require.Equal(tb, http.StatusOK, response.StatusCode)
	return response.Body
}
