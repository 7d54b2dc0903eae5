package ssestream_test

import (
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/feedmill/feedmill/ssestream"
	"github.com/feedmill/feedmill/ssestream/ssestreamtest"
)

// onEachProtocol runs f for every way in which a router writes: on a connection that it takes over, on one that wraps
// TCP, and by the response writers of TLS, of HTTP/2 and of middleware.
func onEachProtocol(t *testing.T, f func(t *testing.T, site site, board *board, source *source)) {
	t.Helper()
	for name, start := range map[string]func(tb testing.TB, h http.Handler) site{
		"HTTP 1.1":                         func(tb testing.TB, h http.Handler) site { tb.Helper(); return serve(tb, h) },
		"HTTP 1.1 on a wrapped connection": serveWrapped,
		"HTTP 1.1 on TLS": func(tb testing.TB, h http.Handler) site {
			tb.Helper()
			server := httptest.NewTLSServer(h)
			tb.Cleanup(server.Close)

			return site{url: server.URL, client: server.Client()}
		},
		"HTTP 2": func(tb testing.TB, h http.Handler) site { tb.Helper(); return serveHTTP2(tb, h, nil) },
		"wrapped": func(tb testing.TB, h http.Handler) site {
			tb.Helper()

			return serve(tb, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				h.ServeHTTP(unwrappable{w}, r)
			}))
		},
		"wrapped without Unwrap": func(tb testing.TB, h http.Handler) site {
			tb.Helper()

			return serve(tb, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				h.ServeHTTP(flushable{w}, r)
			}))
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			board, source := newBoard(), newSource()
			router := newRouter(t, ssestream.RouterConfig{
				UpstreamSubscriber: source, Retry: 2 * time.Second, WriteTimeout: 500 * time.Millisecond,
			})
			site := start(t, router.AddHandler(topic, board.adapter(t)))
			run(t, router)
			f(t, site, board, source)
		})
	}
}

// opaque hides all other methods of the writer.
type opaque struct{ w http.ResponseWriter }

func (o opaque) Header() http.Header         { return o.w.Header() }
func (o opaque) Write(p []byte) (int, error) { return o.w.Write(p) } //nolint:wrapcheck // a plain wrapper
func (o opaque) WriteHeader(status int)      { o.w.WriteHeader(status) }

type unwrappable struct{ w http.ResponseWriter }

func (u unwrappable) Header() http.Header         { return u.w.Header() }
func (u unwrappable) Write(p []byte) (int, error) { return u.w.Write(p) } //nolint:wrapcheck // a plain wrapper
func (u unwrappable) WriteHeader(status int)      { u.w.WriteHeader(status) }
func (u unwrappable) Unwrap() http.ResponseWriter { return u.w }

type flushable struct{ w http.ResponseWriter }

func (f flushable) Header() http.Header         { return f.w.Header() }
func (f flushable) Write(p []byte) (int, error) { return f.w.Write(p) } //nolint:wrapcheck // a plain wrapper
func (f flushable) WriteHeader(status int)      { f.w.WriteHeader(status) }
func (f flushable) Flush()                      { _ = http.NewResponseController(f.w).Flush() }

func TestStream(t *testing.T) {
	t.Parallel()
	onEachProtocol(t, func(t *testing.T, site site, board *board, source *source) {
		t.Helper()
		stream := site.connect(t, "key=a")
		header := stream.Header()
		assert.Equal(t, "text/event-stream", header.Get("Content-Type"))
		assert.Equal(t, "private, no-cache, no-transform", header.Get("Cache-Control"))
		assert.Equal(t, "no", header.Get("X-Accel-Buffering"))
		assert.Equal(t, varied("Accept"), header.Get("Vary"))

		first := next(t, stream)
		assert.Equal(t, "data", first.Type)
		assert.JSONEq(t, `{"Key":"a","N":0}`, first.Data)
		assert.NotEmpty(t, first.ID)
		assert.InDelta(t, 2*time.Second, stream.Retry(), float64(time.Second))

		// A silence longer than the write timeout ends nothing.
		idle := time.NewTimer(800 * time.Millisecond)
		<-idle.C
		board.set("a", 1)
		source.announce(t, "a")
		second := next(t, stream)
		assert.JSONEq(t, `{"Key":"a","N":1}`, second.Data)
		assert.NotEqual(t, first.ID, second.ID)

		// The stream of a client that has the state opens without one, and goes on.
		current := site.connect(t, "key=a", ssestreamtest.WithLastEventID(second.ID))
		require.Eventually(t, func() bool { return current.Retry() > 0 }, time.Minute, time.Millisecond)
		board.set("a", 2)
		source.announce(t, "a")
		assert.Equal(t, 2, nextScore(t, current).N)
		assert.Equal(t, 2, nextScore(t, stream).N)

		// A client that has another state gets the current one.
		assert.Equal(t, 2, nextScore(t, site.connect(t, "key=a", ssestreamtest.WithLastEventID(first.ID))).N)

		head := site.do(t, http.MethodHead, "key=a", "Accept", "text/event-stream")
		assert.Equal(t, http.StatusOK, head.status)
		assert.Equal(t, "text/event-stream", head.header.Get("Content-Type"))
	})
}

// TestServerTimeoutsDoNotEndStreams has a server whose ReadTimeout and WriteTimeout are meant for plain requests.
func TestServerTimeoutsDoNotEndStreams(t *testing.T) {
	t.Parallel()
	for name, http2 := range map[string]bool{"HTTP 1.1": false, "HTTP 2": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			board, source := newBoard(), newSource()
			router := newRouter(t, ssestream.RouterConfig{UpstreamSubscriber: source})
			server := httptest.NewUnstartedServer(router.AddHandler(topic, board.adapter(t)))
			server.Config.ReadTimeout = time.Second
			server.Config.WriteTimeout = time.Second
			server.EnableHTTP2 = http2
			server.StartTLS()
			t.Cleanup(server.Close)
			run(t, router)
			stream := site{url: server.URL, client: server.Client()}.connect(t, "key=a")
			nextScore(t, stream)
			idle := time.NewTimer(1500 * time.Millisecond)
			<-idle.C
			board.set("a", 1)
			source.announce(t, "a")
			assert.Equal(t, 1, nextScore(t, stream).N)
		})
	}
}

// TestAStalledClientOnEachProtocol stops reading until all buffers are full. Writers that hide their deadlines are not
// here, for they block.
func TestAStalledClientOnEachProtocol(t *testing.T) {
	t.Parallel()
	for name, start := range map[string]func(tb testing.TB, h http.Handler) site{
		"HTTP 1.1": func(tb testing.TB, h http.Handler) site { tb.Helper(); return serve(tb, h) },
		"HTTP 2":   func(tb testing.TB, h http.Handler) site { tb.Helper(); return serveHTTP2(tb, h, nil) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			board, source := newBoard(), newSource()
			router := newRouter(t, ssestream.RouterConfig{
				UpstreamSubscriber: source, WriteTimeout: 500 * time.Millisecond, MaxFrameBytes: 16 << 20,
			})
			site := start(t, router.AddHandler(topic, board.adapter(t)))
			run(t, router)
			stream := site.connect(t, "key=a")
			nextScore(t, stream)
			board.setText("a", bulk(8<<20))
			require.Eventually(t, func() bool {
				stats := router.Stats()
				if stats.Clients == 0 && stats.Dropped == 0 { // A pause of the whole process has ended the stream.
					stream = site.connect(t, "key=a")
				}
				// It reads one state and no more.
				board.set("a", board.loaded("a"))
				source.announce(t, "a")

				return stats.Dropped > 0 && stats.Clients == 0 && stats.Rooms == 0
			}, 3*time.Minute, 500*time.Millisecond) // Each change is a load of 8 MB.
		})
	}
}

func TestAWriterThatCannotFlushIsAnError(t *testing.T) {
	t.Parallel()

	var got error
	router := newRouter(t, ssestream.RouterConfig{
		UpstreamSubscriber: newSource(),
		ErrorHandler: func(w http.ResponseWriter, r *http.Request, err error) {
			got = err
			ssestream.DefaultErrorHandler(w, r, err)
		},
	})
	h := router.AddHandler(topic, newBoard().adapter(t))
	run(t, router)
	for _, wrap := range []func(http.ResponseWriter) http.ResponseWriter{
		func(w http.ResponseWriter) http.ResponseWriter { return opaque{w} },
		func(w http.ResponseWriter) http.ResponseWriter { return unwrappable{opaque{w}} },
	} {
		r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/?key=a", http.NoBody)
		r.Header.Set("Accept", "text/event-stream")
		recorder := httptest.NewRecorder()
		h.ServeHTTP(wrap(recorder), r)
		require.ErrorIs(t, got, ssestream.ErrNoFlush)
		assert.Equal(t, http.StatusInternalServerError, recorder.Code)
	}
}

// TestOneFrameIsOneWrite of the response writer.
func TestOneFrameIsOneWrite(t *testing.T) {
	t.Parallel()

	board, source := newBoard(), newSource()
	board.setText("a", "line\nbreak")
	router := newRouter(t, ssestream.RouterConfig{UpstreamSubscriber: source})
	h := router.AddHandler(topic, board.adapter(t))
	var mu sync.Mutex
	var writes []string
	site := serve(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h.ServeHTTP(recording{unwrappable{w}, func(p string) {
			mu.Lock()
			defer mu.Unlock()
			writes = append(writes, p)
		}}, r)
	}))
	run(t, router)
	stream := site.connect(t, "key=a", ssestreamtest.WithHeader("Accept-Encoding", "identity"))
	nextScore(t, stream)
	board.set("a", 1)
	source.announce(t, "a")
	nextScore(t, stream)
	mu.Lock()
	defer mu.Unlock()
	require.Len(t, writes, 2)
	assert.Regexp(t, `^retry: \d+\n\nevent: data\nid: [\w-]{16}\ndata: {[^\n]*}\n\n$`, writes[0])
	assert.Regexp(t, `^event: data\nid: [\w-]{16}\ndata: {[^\n]*}\n\n$`, writes[1])
}

type recording struct {
	unwrappable
	write func(p string)
}

func (r recording) Write(p []byte) (int, error) {
	r.write(string(p))

	return r.unwrappable.Write(p)
}
