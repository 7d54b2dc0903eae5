package ssestream_test

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/feedmill/feedmill/ssestream"
	"github.com/feedmill/feedmill/ssestream/ssestreamtest"
)

// counted is a server that counts the connections that were taken from it.
func counted(tb testing.TB, h http.Handler, settings func(*httptest.Server)) (site, *atomic.Int64) {
	tb.Helper()
	var taken atomic.Int64
	server := httptest.NewUnstartedServer(h)
	server.Config.ConnState = func(_ net.Conn, state http.ConnState) {
		if state == http.StateHijacked {
			taken.Add(1)
		}
	}
	settings(server)
	if server.URL == "" {
		server.Start()
	}
	tb.Cleanup(server.Close)

	return site{url: server.URL, client: server.Client()}, &taken
}

func TestWhatIsTakenOver(t *testing.T) {
	t.Parallel()
	asItIs := func(h http.Handler) http.Handler { return h }
	for name, test := range map[string]struct {
		around   func(h http.Handler) http.Handler
		settings func(*httptest.Server)
		want     int64
	}{
		"HTTP/1.1 on TCP":         {asItIs, func(*httptest.Server) {}, 1},
		"with another connection": {asItIs, func(s *httptest.Server) { s.Listener = wrappingListener{s.Listener} }, 1},
		"HTTP/1.1 on TLS":         {asItIs, (*httptest.Server).StartTLS, 0},
		"HTTP/2": {asItIs, func(s *httptest.Server) {
			s.EnableHTTP2 = true
			s.StartTLS()
		}, 0},
		"wrapped": {func(h http.Handler) http.Handler {
			return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { h.ServeHTTP(unwrappable{w}, r) })
		}, func(*httptest.Server) {}, 0},
		"wrapped with Hijack": {func(h http.Handler) http.Handler {
			return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				hijacker, ok := w.(http.Hijacker)
				assert.True(t, ok)
				h.ServeHTTP(struct {
					flushable
					http.Hijacker
				}{flushable{w}, hijacker}, r)
			})
		}, func(*httptest.Server) {}, 0},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			board, source := newBoard(), newSource()
			router := newRouter(t, ssestream.RouterConfig{UpstreamSubscriber: source})
			site, taken := counted(t, test.around(router.AddHandler(topic, board.adapter(t))), test.settings)
			run(t, router)
			stream := site.connect(t, "key=a")
			nextScore(t, stream)
			assert.Equal(t, test.want, taken.Load())
			assert.Equal(t, http.StatusOK, site.do(t, http.MethodGet, "key=a").status)
			assert.Equal(t, test.want, taken.Load(), "a plain request leaves its connection where it is")
		})
	}
}

// wrappingListener has connections that are not net.TCPConn and see what is written.
type wrappingListener struct{ net.Listener }

type wrappedConn struct{ net.Conn }

func (l wrappingListener) Accept() (net.Conn, error) {
	conn, err := l.Listener.Accept()

	return wrappedConn{conn}, err
}

// serveWrapped serves h on connections that wrap TCP.
func serveWrapped(tb testing.TB, h http.Handler) site {
	tb.Helper()
	server := httptest.NewUnstartedServer(h)
	server.Listener = wrappingListener{server.Listener}
	server.Start()
	tb.Cleanup(server.Close)

	return site{url: server.URL, client: server.Client()}
}

// exchange sends a raw request and returns what comes back.
func exchange(tb testing.TB, site site, request string) (net.Conn, *http.Response) {
	tb.Helper()
	var dialer net.Dialer
	conn, err := dialer.DialContext(tb.Context(), "tcp", strings.TrimPrefix(site.url, "http://"))
	require.NoError(tb, err)
	tb.Cleanup(func() { _ = conn.Close() })
	require.NoError(tb, conn.SetDeadline(time.Now().Add(time.Minute)))
	_, err = io.WriteString(conn, request)
	require.NoError(tb, err)
	response, err := http.ReadResponse(bufio.NewReader(conn), nil)
	require.NoError(tb, err)

	return conn, response
}

func line(tb testing.TB, r *bufio.Reader) string {
	tb.Helper()
	text, err := r.ReadString('\n')
	require.NoError(tb, err)

	return text
}

// TestTheHeadOfATakenOverResponse has what the handlers around have set, and no injected fields.
func TestTheHeadOfATakenOverResponse(t *testing.T) {
	t.Parallel()
	source := newSource()
	router := newRouter(t, ssestream.RouterConfig{UpstreamSubscriber: source})
	h := router.AddHandler(topic, newBoard().adapter(t))
	site := serve(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Access-Control-Allow-Origin", "https://example.com")
		w.Header().Add("Set-Cookie", "a=1")
		w.Header().Add("Set-Cookie", "b=2")
		w.Header().Set("X-Split", "a\r\nX-Injected: 1")
		w.Header().Set("Content-Length", "5")
		h.ServeHTTP(w, r)
	}))
	run(t, router)
	for _, protocol := range []string{"HTTP/1.1", "HTTP/1.0"} {
		_, response := exchange(t, site, "GET /?key=a "+protocol+"\r\nHost: x\r\nAccept: text/event-stream\r\n\r\n")
		require.NoError(t, response.Body.Close())
		assert.Equal(t, protocol+" 200 OK", response.Proto+" "+response.Status)
		assert.True(t, response.Close)
		assert.Empty(t, response.TransferEncoding)
		assert.EqualValues(t, -1, response.ContentLength)
		assert.Equal(t, []string{"a=1", "b=2"}, response.Header["Set-Cookie"])
		assert.Equal(t, "https://example.com", response.Header.Get("Access-Control-Allow-Origin"))
		assert.Equal(t, "text/event-stream", response.Header.Get("Content-Type"))
		assert.Empty(t, response.Header.Get("X-Injected"))
		date, err := http.ParseTime(response.Header.Get("Date"))
		require.NoError(t, err)
		assert.WithinDuration(t, time.Now(), date, time.Minute)
	}
}

// TestWhatMiddlewareDoesWithoutAWrapper keeps the connection with net/http.
func TestWhatMiddlewareDoesWithoutAWrapper(t *testing.T) {
	t.Parallel()
	source := newSource()
	router := newRouter(t, ssestream.RouterConfig{UpstreamSubscriber: source})
	h := router.AddHandler(topic, newBoard().adapter(t))
	run(t, router)
	for name, middleware := range map[string]http.HandlerFunc{
		"it has written the header": func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Type", "text/event-stream")
			w.WriteHeader(http.StatusOK)
			h(w, r)
		},
		"it closes the body": func(w http.ResponseWriter, r *http.Request) {
			defer func() { assert.NoError(t, r.Body.Close()) }()
			h(w, r)
		},
	} {
		site := serve(t, middleware)
		request := "GET /?key=a HTTP/1.1\r\nHost: x\r\nAccept: text/event-stream\r\n"
		if name == "it closes the body" {
			request += "Content-Length: 2\r\n\r\n{}"
		} else {
			request += "\r\n"
		}
		conn, response := exchange(t, site, request)
		event, err := ssestreamtest.NewReader(response.Body).Next()
		require.NoError(t, err, name)
		assert.Equal(t, "data", event.Type, name)
		require.NoError(t, conn.Close())
		_ = response.Body.Close() // It is cut off.
	}
}

// TestAPeerThatTalks sends input after its request, which is discarded up to a limit.
func TestAPeerThatTalks(t *testing.T) {
	t.Parallel()
	board, source := newBoard(), newSource()
	router := newRouter(t, ssestream.RouterConfig{UpstreamSubscriber: source})
	site := serve(t, router.AddHandler(topic, board.adapter(t)))
	run(t, router)
	conn, response := exchange(t, site,
		"GET /?key=a HTTP/1.1\r\nHost: x\r\nAccept: text/event-stream\r\n\r\nGET /pipelined HTTP/1.1\r\n")
	defer response.Body.Close()
	body := bufio.NewReader(response.Body)
	for n := 1; n <= 10; n++ {
		_, err := conn.Write(make([]byte, 4096))
		require.NoError(t, err)
		board.set("a", n)
		source.announce(t, "a")
		for want := fmt.Sprintf(`"N":%d}`, n); !strings.Contains(line(t, body), want); {
		}
	}
	assert.EqualValues(t, 1, router.Stats().Clients)

	// The limit ends the connection.
	for router.Stats().Clients > 0 {
		_, _ = conn.Write(make([]byte, 4096)) // It fails when the server has closed the connection.
	}
}

// TestAHandlerEndsWithItsRequest, so that what surrounds it, such as a log of requests, sees the end.
func TestAHandlerEndsWithItsRequest(t *testing.T) {
	t.Parallel()
	source := newSource()
	router := newRouter(t, ssestream.RouterConfig{UpstreamSubscriber: source})
	h := router.AddHandler(topic, newBoard().adapter(t))
	cancels, ended := make(chan context.CancelFunc, 1), make(chan struct{}, 1)
	site := serve(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		ctx, cancel := context.WithCancel(r.Context())
		defer cancel()
		cancels <- cancel
		h.ServeHTTP(w, r.WithContext(ctx))
		ended <- struct{}{}
	}))
	run(t, router)
	for _, test := range []struct {
		name string
		end  func(conn net.Conn, cancel context.CancelFunc)
	}{
		{"the peer goes", func(conn net.Conn, _ context.CancelFunc) { assert.NoError(t, conn.Close()) }},
		{"the peer breaks off", func(conn net.Conn, _ context.CancelFunc) { breakOff(t, conn) }},
		{"the context ends", func(_ net.Conn, cancel context.CancelFunc) { cancel() }},
		{"the router closes", func(net.Conn, context.CancelFunc) { assert.NoError(t, router.Close()) }},
	} {
		endsRequest(t, site, cancels, ended, test.name, test.end)
	}
}

func endsRequest(
	t *testing.T, site site, cancels <-chan context.CancelFunc, ended <-chan struct{},
	name string, end func(net.Conn, context.CancelFunc),
) {
	t.Helper()
	conn, response := exchange(t, site, "GET /?key=a HTTP/1.1\r\nHost: x\r\nAccept: text/event-stream\r\n\r\n")
	cancel := <-cancels
	select {
	case <-ended:
		require.Fail(t, "the request ended before "+name)
	default:
	}
	end(conn, cancel)
	<-ended
	_ = response.Body.Close() // It was broken off.
}

// breakOff ends the connection by a reset.
func breakOff(t *testing.T, conn net.Conn) {
	t.Helper()
	tcp, ok := conn.(*net.TCPConn)
	require.True(t, ok)
	require.NoError(t, tcp.SetLinger(0))
	require.NoError(t, tcp.Close())
}
