package ssestream_test

import (
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/go-chi/render"
	"github.com/stretchr/testify/assert"

	"github.com/feedmill/feedmill/ssestream"
)

func TestWantsStream(t *testing.T) {
	t.Parallel()

	board := newBoard()
	router := newRouter(t, ssestream.RouterConfig{UpstreamSubscriber: newSource()})
	handler := router.AddHandler(topic, board.adapter(t))
	run(t, router)
	for accept, want := range map[string]bool{
		"":                                       false,
		"*/*":                                    false,
		"text/*":                                 false,
		"application/json":                       false,
		"text/event-stream":                      true,
		" text/event-stream ; q=0.5":             true,
		"text/event-stream, application/json":    true,
		"text/html, text/event-stream":           false,
		"application/json;q=0,text/event-stream": false,
		"text/event-streams":                     false,
	} {
		request := httptest.NewRequestWithContext(t.Context(), http.MethodHead, "/?key=a", http.NoBody)
		request.Header.Set("Accept", accept)
		assert.Equal(t, want, ssestream.WantsStream(request), accept)

		response := httptest.NewRecorder()
		handler(response, request)
		streamed := response.Header().Get("Content-Type") == "text/event-stream"
		assert.Equal(t, want, streamed, "the router decides alike: %q", accept)
	}
	assert.False(t, ssestream.WantsStream(httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/", http.NoBody)))

	forced := false
	force := render.SetContentType(render.ContentTypeEventStream)
	force(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { forced = ssestream.WantsStream(r) })).
		ServeHTTP(httptest.NewRecorder(), httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/", http.NoBody))
	assert.True(t, forced, "by the stock router's middleware")
}
