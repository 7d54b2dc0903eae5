package ssestream_test

import (
	"errors"
	"maps"
	"net/http"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/feedmill/feedmill/ssestream"
)

// TestHeadersOfMiddleware are kept and added to, on every kind of response. The middleware sets what is in the request's
// header.
func TestHeadersOfMiddleware(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct{ set, stream, state, failure http.Header }{
		"none": {
			set:     http.Header{},
			stream:  http.Header{"Cache-Control": {"private, no-cache, no-transform"}, "Vary": {"Accept"}},
			state:   http.Header{"Cache-Control": {"private, no-cache"}, "Vary": {"Accept"}},
			failure: http.Header{"Cache-Control": {"no-store"}, "Vary": {"Accept"}},
		},
		"stricter": {
			set:     http.Header{"Cache-Control": {"no-store"}, "Vary": {"Cookie"}},
			stream:  http.Header{"Cache-Control": {"no-store, no-transform"}, "Vary": {"Cookie, Accept"}},
			state:   http.Header{"Cache-Control": {"no-store"}, "Vary": {"Cookie, Accept"}},
			failure: http.Header{"Cache-Control": {"no-store"}, "Vary": {"Cookie, Accept"}},
		},
		"the same": {
			set:     http.Header{"Cache-Control": {"No-Transform, no-store"}, "Vary": {"Origin, accept"}},
			stream:  http.Header{"Cache-Control": {"No-Transform, no-store"}, "Vary": {"Origin, accept"}},
			state:   http.Header{"Cache-Control": {"No-Transform, no-store"}, "Vary": {"Origin, accept"}},
			failure: http.Header{"Cache-Control": {"No-Transform, no-store"}, "Vary": {"Origin, accept"}},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			around := func(h http.Handler) http.Handler {
				return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
					maps.Copy(w.Header(), test.set)
					h.ServeHTTP(w, r)
				})
			}
			shown := func(got http.Header) http.Header {
				return http.Header{"Cache-Control": got["Cache-Control"], "Vary": got["Vary"]}
			}
			onEachServer(t, settings{around: around}, func(t *testing.T, w world) {
				t.Helper()
				board := newBoard()
				streams, err := w.router.AddStreamsHandler(
					ssestream.Stream{Pattern: "score:{key}", Topics: []string{topic}, Adapter: board.adapter(t)})
				require.NoError(t, err)
				router := newRouter(t, ssestream.RouterConfig{UpstreamSubscriber: newSource(), MaxClients: 1})
				full := router.AddHandler(topic, board.adapter(t))
				run(t, router)
				for name, site := range map[string]site{
					"single": w.site, "several": serve(t, around(streams)), "full": serve(t, around(full)),
					"of the stock router": serve(t, around(w.router.AddHandler(topic, storyAdapter{board}))),
				} {
					const query = "key=a&stream=score:a"
					first := site.connect(t, query).Header()
					stream := test.stream.Clone()
					if name != "of the stock router" {
						stream.Set("Vary", varied(stream.Get("Vary")))
					}
					assert.Equal(t, stream, shown(first), name)
					assert.Equal(t, "no", first.Get("X-Accel-Buffering"), name)
					for _, method := range []string{http.MethodGet, http.MethodHead} {
						assert.Equal(t, test.state, shown(site.do(t, method, query).header), name)
					}
					head := site.do(t, http.MethodHead, query, "Accept", "text/event-stream")
					if name == "full" { // It is refused.
						stream = test.stream
					}
					assert.Equal(t, stream, shown(head.header), name)
				}
				assert.Equal(t, test.failure, shown(w.do(t, http.MethodGet, "key=").header))
			})
		})
	}
}

// TestNotModified has the header of the response that it stands for.
func TestNotModified(t *testing.T) {
	t.Parallel()
	w := settings{builder: func(b *ssestream.AdapterBuilder[changed, score]) {
		b.Authorize = func(r *http.Request, _ string) error {
			if r.Header.Get("Stranger") != "" {
				return errors.New("unknown")
			}

			return nil
		}
	}}.start(t, serve)
	whole := w.do(t, http.MethodGet, "key=a")
	same := w.do(t, http.MethodGet, "key=a", "If-None-Match", whole.header.Get("ETag"))
	assert.Equal(t, http.StatusNotModified, same.status)
	for _, field := range []string{"ETag", "Cache-Control", "Vary"} {
		assert.Equal(t, whole.header[field], same.header[field], field)
	}
	refused := w.do(t, http.MethodGet, "key=a", "If-None-Match", whole.header.Get("ETag"), "Stranger", "yes")
	assert.Equal(t, http.StatusForbidden, refused.status)
}
