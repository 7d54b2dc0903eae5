package ssestream_test

import (
	"net"
	"net/http"
	"net/http/httptest"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/feedmill/feedmill/ssestream"
)

// world is a board, its router, and a server for it.
type world struct {
	site
	board  *board
	source *source
	router *ssestream.Router
	rights *rights
}

// settings are what a test changes of its world. All of them may be left out.
type settings struct {
	config  ssestream.RouterConfig
	builder func(b *ssestream.AdapterBuilder[changed, score])
	around  func(h http.Handler) http.Handler // middleware
	rights  bool                              // requests are authorized by the world's rights
}

func (s settings) start(tb testing.TB, serve func(tb testing.TB, h http.Handler) site) world {
	tb.Helper()
	w := world{board: newBoard(), source: newSource(), rights: newRights()}
	builder := w.board.builder()
	if s.builder != nil {
		s.builder(&builder)
	}
	if s.rights {
		w.rights.apply(&builder)
	}
	adapter, err := builder.Build()
	require.NoError(tb, err)
	s.config.UpstreamSubscriber = w.source
	w.router = newRouter(tb, s.config)
	var h http.Handler = w.router.AddHandler(topic, adapter)
	if s.around != nil {
		h = s.around(h)
	}
	w.site = serve(tb, h)
	run(tb, w.router)

	return w
}

// onEachServer runs f in a world of real connections of each kind that streams are written to: taken over and written
// by shards, taken over from a listener that wraps them, HTTP/2, and left to net/http for the writer is wrapped.
func onEachServer(t *testing.T, s settings, f func(t *testing.T, w world)) {
	t.Helper()
	for name, serve := range map[string]func(tb testing.TB, h http.Handler) site{
		"taken over": serve,
		"taken over from a wrapping listener": func(tb testing.TB, h http.Handler) site {
			tb.Helper()

			return serveWrapping(tb, h)
		},
		"HTTP 2": func(tb testing.TB, h http.Handler) site { tb.Helper(); return serveHTTP2(tb, h, nil) },
		"wrapped writer": func(tb testing.TB, h http.Handler) site {
			tb.Helper()

			return serve(tb, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				h.ServeHTTP(unwrappable{w}, r)
			}))
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f(t, s.start(t, serve))
		})
	}
}

// inBubbles runs f in worlds of virtual time: with connections that are taken over, and with such as are not.
func inBubbles(t *testing.T, s settings, f func(b bubble)) {
	t.Helper()
	for name, serve := range map[string]func(tb testing.TB, h http.Handler) site{
		"taken over": serveTakenPipes,
		"net/http":   servePipes,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				w := s.start(t, serve)
				f(bubble{T: t, site: w.site, board: w.board, source: w.source, router: w.router, rights: w.rights})
			})
		})
	}
}

// serveWrapping serves h by HTTP/1.1 on TCP connections inside of something else, as of netutil.LimitListener.
func serveWrapping(tb testing.TB, h http.Handler) site {
	tb.Helper()
	server := httptest.NewUnstartedServer(h)
	server.Listener = wrapping{server.Listener}
	server.Start()
	tb.Cleanup(server.Close)

	return site{url: server.URL, client: server.Client()}
}

type wrapping struct{ net.Listener }

func (w wrapping) Accept() (net.Conn, error) {
	conn, err := w.Listener.Accept()
	if err != nil {
		return nil, err //nolint:wrapcheck // a plain wrapper
	}

	return struct{ net.Conn }{conn}, nil
}

// eventually waits for what a server notes after its client has seen the cause.
func eventually(tb testing.TB, condition func() bool, what string) {
	tb.Helper()
	require.Eventually(tb, condition, time.Minute, time.Millisecond, what)
}
