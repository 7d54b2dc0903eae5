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
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/feedmill/feedmill/ssestream"
	"github.com/feedmill/feedmill/ssestream/ssestreamtest"
)

// promises are what a request says of its body when something of that never comes.
func promises() map[string]string {
	return map[string]string{
		"nothing":     "Content-Length: 1\r\n\r\n",
		"not all":     "Content-Length: 10\r\n\r\n{",
		"no end":      "Transfer-Encoding: chunked\r\n\r\n1\r\n{\r\n",
		"no go-ahead": "Content-Length: 1\r\nExpect: 100-continue\r\n\r\n",
	}
}

// TestABodyThatNeverComes is not waited for, whatever is asked for and however it is answered. Nothing is held meanwhile.
func TestABodyThatNeverComes(t *testing.T) {
	t.Parallel()
	for what, promise := range promises() {
		for _, accept := range []string{"text/event-stream", "application/json"} {
			for name, wrap := range map[string]func(http.ResponseWriter) http.ResponseWriter{
				"as it is": func(w http.ResponseWriter) http.ResponseWriter { return w },
				"wrapped":  func(w http.ResponseWriter) http.ResponseWriter { return unwrappable{w} },
			} {
				t.Run(what+", "+accept+", "+name, func(t *testing.T) {
					t.Parallel()
					w, arrived := unkept(t, wrap)
					conn := send(t, w.site, "GET /?key=a HTTP/1.1\r\nHost: x\r\nAccept: "+accept+"\r\n"+promise)
					<-arrived
					nextScore(t, w.connect(t, "key=a"))
					status, body := answerTo(t, conn)
					assert.Equal(t, http.StatusRequestTimeout, status)
					_, err := io.Copy(io.Discard, body)
					require.NoError(t, err, "the connection ends")
				})
			}
		}
	}
}

// unkept is a world with room for one stream, and tells of each request.
func unkept(t *testing.T, wrap func(http.ResponseWriter) http.ResponseWriter) (world, <-chan struct{}) {
	t.Helper()
	arrived := make(chan struct{}, 10)
	config := ssestream.RouterConfig{MaxClients: 1, WriteTimeout: time.Second, CloseTimeout: 5 * time.Second}
	w := settings{config: config}.start(t, func(tb testing.TB, h http.Handler) site {
		tb.Helper()

		return serve(tb, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			arrived <- struct{}{}
			h.ServeHTTP(wrap(w), r)
		}))
	})
	w.board.setText("a", bulk(4<<10)) // More than net/http keeps back.

	return w, arrived
}

// TestABodyThatNeverComesWithoutDeadlines is left unread: middleware keeps the router from bounding the wait for it.
func TestABodyThatNeverComesWithoutDeadlines(t *testing.T) {
	t.Parallel()
	for what, promise := range promises() {
		t.Run(what, func(t *testing.T) {
			t.Parallel()
			w, _ := unkept(t, func(w http.ResponseWriter) http.ResponseWriter { return flushable{w} })
			stream := send(t, w.site, "GET /?key=a HTTP/1.1\r\nHost: x\r\nAccept: text/event-stream\r\n"+promise)
			_, body := answerTo(t, stream)
			event, err := ssestreamtest.NewReader(body).Next()
			require.NoError(t, err)
			assert.Len(t, scoreOf(t, event).Text, 4<<10)

			plain := send(t, w.site, "GET /?key=a HTTP/1.1\r\nHost: x\r\n"+promise)
			_, body = answerTo(t, plain)
			state, err := io.ReadAll(body)
			require.NoError(t, err)
			assert.Greater(t, len(state), 4<<10)
			require.NoError(t, w.router.Close())
		})
	}
}

// TestABodyThatNeverComesOnHTTP2 is refused as well.
func TestABodyThatNeverComesOnHTTP2(t *testing.T) {
	t.Parallel()
	w := settings{config: ssestream.RouterConfig{MaxClients: 1, WriteTimeout: time.Second}}.start(
		t, func(tb testing.TB, h http.Handler) site { tb.Helper(); return serveHTTP2(tb, h, nil) })
	for _, accept := range []string{"text/event-stream", "application/json"} {
		body, promised := io.Pipe()
		defer promised.Close()
		request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, w.url+"/?key=a", body)
		require.NoError(t, err)
		request.Header.Set("Accept", accept)
		response, err := w.client.Do(request)
		require.NoError(t, err)
		assert.Equal(t, http.StatusRequestTimeout, response.StatusCode)
		require.NoError(t, response.Body.Close())
	}
	nextScore(t, w.connect(t, "key=a"))
}

// TestCloseDoesNotWaitForABody that a request promised.
func TestCloseDoesNotWaitForABody(t *testing.T) {
	t.Parallel()
	for what, promise := range promises() {
		t.Run(what, func(t *testing.T) {
			t.Parallel()
			w, arrived := unkept(t, func(w http.ResponseWriter) http.ResponseWriter { return w })
			send(t, w.site, "GET /?key=a HTTP/1.1\r\nHost: x\r\nAccept: text/event-stream\r\n"+promise)
			<-arrived
			require.NoError(t, w.router.Close())
		})
	}
}

// TestABodyThatComes is there for the adapter, and changes nothing else.
func TestABodyThatComes(t *testing.T) {
	t.Parallel()
	onEachServer(t, settings{builder: func(b *ssestream.AdapterBuilder[changed, score]) {
		b.RequestKey = func(r *http.Request) (string, error) {
			body, err := io.ReadAll(r.Body)

			return string(body), err
		}
	}}, func(t *testing.T, w world) {
		t.Helper()
		for _, body := range []string{"a", strings.Repeat("a", 64<<10)} {
			request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, w.url, strings.NewReader(body))
			require.NoError(t, err)
			request.Header.Set("Accept", "text/event-stream")
			response, err := w.client.Do(request)
			require.NoError(t, err)
			event, err := ssestreamtest.NewReader(response.Body).Next()
			require.NoError(t, err)
			assert.Equal(t, body, scoreOf(t, event).Key)
			require.NoError(t, response.Body.Close())
			eventually(t, func() bool { return w.router.Stats().Clients == 0 }, "the server notices that the client has gone")
		}
		request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, w.url, strings.NewReader(strings.Repeat("a", 64<<10+1)))
		require.NoError(t, err)
		response, err := w.client.Do(request)
		require.NoError(t, err)
		assert.Equal(t, http.StatusRequestEntityTooLarge, response.StatusCode)
		require.NoError(t, response.Body.Close())
	})
}

// TestStreamsLastBeyondTheServersReadTimeout, which is for the request.
func TestStreamsLastBeyondTheServersReadTimeout(t *testing.T) {
	t.Parallel()
	timeout := func(s *http.Server) { s.ReadTimeout = 500 * time.Millisecond } // It is also for the TLS handshake.
	for name, serve := range map[string]func(tb testing.TB, h http.Handler) site{
		"HTTP 1": func(tb testing.TB, h http.Handler) site {
			tb.Helper()
			site, _ := counted(tb, h, func(s *httptest.Server) { timeout(s.Config) })

			return site
		},
		"HTTP 2": func(tb testing.TB, h http.Handler) site { tb.Helper(); return serveHTTP2(tb, h, timeout) },
	} {
		for _, wrapped := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s, wrapped %t", name, wrapped), func(t *testing.T) {
				t.Parallel()
				w := settings{
					config: ssestream.RouterConfig{Heartbeat: 50 * time.Millisecond},
					around: func(h http.Handler) http.Handler {
						return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
							if wrapped {
								w = unwrappable{w}
							}
							h.ServeHTTP(w, r)
						})
					},
				}.start(t, serve)
				stream := w.connect(t, "key=a")
				nextScore(t, stream)
				eventually(t, func() bool { return stream.Comments() >= 15 }, "heartbeats come")
				w.board.set("a", 1)
				w.source.announce(t, "a")
				assert.Equal(t, 1, nextScore(t, stream).N)
			})
		}
	}
}

// TestAFirstStateAfterTheServersWriteTimeout comes, for that is not for streams.
func TestAFirstStateAfterTheServersWriteTimeout(t *testing.T) {
	t.Parallel()
	const timeout = 300 * time.Millisecond // It is also for the TLS handshake.
	for name, serve := range map[string]func(tb testing.TB, h http.Handler) site{
		"HTTP 1": func(tb testing.TB, h http.Handler) site {
			tb.Helper()
			site, _ := counted(tb, h, func(s *httptest.Server) { s.Config.WriteTimeout = timeout })

			return site
		},
		"HTTP 2": func(tb testing.TB, h http.Handler) site {
			tb.Helper()

			return serveHTTP2(tb, h, func(s *http.Server) { s.WriteTimeout = timeout })
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := settings{around: func(h http.Handler) http.Handler {
				return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { h.ServeHTTP(unwrappable{w}, r) })
			}}.start(t, serve)
			w.board.before(func(context.Context, string) error { pause(2 * timeout); return nil })
			stream := w.connect(t, "key=a")
			assert.Zero(t, nextScore(t, stream).N)
			w.board.set("a", 1)
			w.source.announce(t, "a")
			assert.Equal(t, 1, nextScore(t, stream).N)
		})
	}
}

func send(tb testing.TB, site site, request string) net.Conn {
	tb.Helper()
	var dialer net.Dialer
	conn, err := dialer.DialContext(tb.Context(), "tcp", strings.TrimPrefix(site.url, "http://"))
	require.NoError(tb, err)
	tb.Cleanup(func() { _ = conn.Close() })
	require.NoError(tb, conn.SetDeadline(time.Now().Add(time.Minute)))
	_, err = io.WriteString(conn, request)
	require.NoError(tb, err)

	return conn
}

// answerTo returns the response to what was sent.
func answerTo(tb testing.TB, conn net.Conn) (status int, body io.Reader) {
	tb.Helper()
	buffered := bufio.NewReader(conn)
	for {
		response, err := http.ReadResponse(buffered, nil)
		require.NoError(tb, err)
		if response.StatusCode != http.StatusContinue {
			tb.Cleanup(func() { _, _ = conn.Close(), response.Body.Close() }) // The connection first: there may be more.

			return response.StatusCode, response.Body
		}
	}
}
