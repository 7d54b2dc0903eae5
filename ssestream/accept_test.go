package ssestream_test

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/go-chi/render"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/feedmill/feedmill/ssestream"
)

func TestWantsStream(t *testing.T) {
	t.Parallel()
	router := newRouter(t, ssestream.RouterConfig{UpstreamSubscriber: newSource()})
	handler := router.AddHandler(topic, newBoard().adapter(t))
	run(t, router)
	for accept, want := range map[string]bool{
		"text/event-stream":                               true,
		" TEXT/Event-Stream ; charset=utf-8":              true,
		"text/event-stream;q=0":                           false,
		"text/event-stream; Q=0.000, application/json":    false,
		"text/event-stream;q=0, */*":                      false,
		"application/json;q=0.5, text/event-stream;q=0.9": true,
		"text/event-stream;q=0.5, application/json":       false,
		"text/event-stream, application/json":             true,
		"application/json, text/event-stream":             false,
		"text/html, text/event-stream":                    false,
		"text/html;q=0.9, text/event-stream":              true,
		"text/event-stream, text/html, application/json":  true,
		"*/*, text/event-stream":                          true,
		"*/*;q=0.1, text/event-stream;q=0.2":              true,
		"text/*":                                          false,
		"*/*":                                             false,
		"":                                                false,
		", ,text/event-stream":                            true,
		"text/event-stream;q=":                            true,
		"text/event-stream;q=7":                           true,
		"text/event-streams":                              false,
		"application/json;q=0,text/event-stream":          true,
		"text/event-stream;q=0.5, application/*;q=0.4":    true,
		"text/event-stream;q=0.5, application/*":          false,
		"text/event-stream;q=0.5, */*, application/json;q=0, text/html;q=0.1": true,
		"application/problem+json, text/event-stream;q=0.5":                   true,
		"text/event-stream, */*":                                              true,
	} {
		r := httptest.NewRequestWithContext(t.Context(), http.MethodHead, "/?key=a", http.NoBody)
		r.Header.Set("Accept", accept)
		assert.Equal(t, want, ssestream.WantsStream(r), accept)
		response := httptest.NewRecorder()
		handler(response, r)
		streamed := response.Header().Get("Content-Type") == "text/event-stream"
		assert.Equal(t, want, streamed, "the router decides alike: %q", accept)
	}
	r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/", http.NoBody)
	r.Header["Accept"] = []string{"application/json;q=0.5", "text/event-stream"}
	assert.True(t, ssestream.WantsStream(r), "in two lines")
	for chosen, want := range map[render.ContentType]bool{render.ContentTypeEventStream: true, render.ContentTypeXML: false} {
		render.SetContentType(chosen)(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
			assert.Equal(t, want, ssestream.WantsStream(r), "the stock router's middleware chooses")
		})).ServeHTTP(httptest.NewRecorder(), r)
	}
}

// TestMethods that are no reads are refused, for single and several streams.
func TestMethods(t *testing.T) {
	t.Parallel()
	w := settings{}.start(t, serve)
	streams, err := w.router.AddStreamsHandler(
		ssestream.Stream{Pattern: "score:{key}", Topics: []string{topic}, Adapter: w.board.adapter(t)})
	require.NoError(t, err)
	for _, site := range []site{w.site, serve(t, streams)} {
		for _, accept := range []string{"text/event-stream", "application/json"} {
			for _, method := range []string{
				http.MethodPut, http.MethodDelete, http.MethodPatch, http.MethodPost, http.MethodTrace, http.MethodOptions, "BREW",
			} {
				got := site.do(t, method, "key=a&stream=score:a", "Accept", accept)
				assert.Equal(t, http.StatusMethodNotAllowed, got.status, method)
				assert.Equal(t, "GET, HEAD", got.header.Get("Allow"), method)
				assert.Equal(t, "application/problem+json", got.header.Get("Content-Type"), method)
			}
		}
	}
	assert.Zero(t, w.router.Stats().Loads)
}

// TestHeadIsLikeGet in status and header, for each outcome of a request.
func TestHeadIsLikeGet(t *testing.T) {
	t.Parallel()
	s := settings{
		config: ssestream.RouterConfig{MaxClientsPerKey: 1},
		builder: func(b *ssestream.AdapterBuilder[changed, score]) {
			load := b.Load
			b.Load = func(ctx context.Context, key string) (score, error) {
				if key == "gone" {
					return score{}, &ssestream.StatusError{Status: http.StatusNotFound, Err: errors.New("there is none")}
				}

				return load(ctx, key)
			}
			b.Authorize = func(_ *http.Request, key string) error {
				switch key {
				case "secret":
					return errors.New("not for you")
				case "later":
					return &ssestream.StatusError{Status: http.StatusServiceUnavailable}
				}

				return nil
			}
		},
	}
	onEachServer(t, s, func(t *testing.T, w world) {
		t.Helper()
		next(t, w.connect(t, "key=full"))
		for _, accept := range []string{"text/event-stream", "application/json"} {
			for key, status := range map[string]int{"a": 200, "full": 200, "gone": 404, "secret": 403, "later": 200, "": 400} {
				if key == "later" && accept == "application/json" {
					status = 503
				}
				head := w.do(t, http.MethodHead, "key="+key, "Accept", accept)
				assert.Equal(t, status, head.status, "%s %q", accept, key)
				assert.Empty(t, head.body)
				ctx, cancel := context.WithCancel(t.Context())
				r, err := http.NewRequestWithContext(ctx, http.MethodGet, w.url+"/?key="+key, http.NoBody)
				require.NoError(t, err)
				r.Header.Set("Accept", accept)
				get, err := w.client.Do(r)
				require.NoError(t, err)
				for _, header := range []http.Header{head.header, get.Header} {
					header.Del("Date")
					header.Del("Connection") // of the connection, not of the response
				}
				assert.Equal(t, get.StatusCode, head.status, "%s %q", accept, key)
				assert.Equal(t, get.Header, head.header, "%s %q", accept, key)
				cancel()
				_ = get.Body.Close()
			}
		}
		eventually(t, func() bool { return w.router.Stats().Clients == 1 }, "a HEAD leaves nothing open")
	})
}
