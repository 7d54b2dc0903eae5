package ssestream_test

import (
	"context"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/feedmill/feedmill/ssestream"
)

// lines are the connections of a server.
type lines struct {
	mu  sync.Mutex
	all []net.Conn
}

// around has the server note its connections beside what the router does with them.
func (l *lines) around(router *ssestream.Router) func(context.Context, net.Conn) context.Context {
	return func(ctx context.Context, conn net.Conn) context.Context {
		l.mu.Lock()
		defer l.mu.Unlock()
		l.all = append(l.all, conn)

		return router.ConnContext(ctx, conn)
	}
}

// timeouts are the TCP_USER_TIMEOUTs of the connections, in milliseconds.
func (l *lines) timeouts(tb testing.TB) (timeouts []int) {
	tb.Helper()
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, conn := range l.all {
		if outer, ok := conn.(interface{ NetConn() net.Conn }); ok {
			conn = outer.NetConn()
		}
		tcp, ok := conn.(syscall.Conn)
		require.True(tb, ok)
		raw, err := tcp.SyscallConn()
		require.NoError(tb, err)
		require.NoError(tb, raw.Control(func(fd uintptr) {
			timeout, err := syscall.GetsockoptInt(int(fd), syscall.IPPROTO_TCP, 18)
			assert.NoError(tb, err)
			timeouts = append(timeouts, timeout)
		}))
	}

	return timeouts
}

// TestConnectionsAreTunedWhileTheyHaveStreams, and not for whatever else comes on them: Linux breaks off also a peer that
// acknowledges and only pauses.
func TestConnectionsAreTunedWhileTheyHaveStreams(t *testing.T) {
	t.Parallel()
	for name, http2 := range map[string]bool{"HTTP 1, wrapped writer": false, "HTTP 2": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var l lines
			board := newBoard()
			router := newRouter(t, ssestream.RouterConfig{
				Principal: func(r *http.Request) string { return r.Header.Get("User") },
				Heartbeat: 2 * time.Second, WriteTimeout: time.Second,
			})
			h := router.AddHandler(topic, board.adapter(t))
			server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				h.ServeHTTP(unwrappable{w}, r)
			}))
			server.Config.ConnContext = l.around(router)
			if server.EnableHTTP2 = http2; http2 {
				server.StartTLS()
			} else {
				server.Start()
			}
			t.Cleanup(server.Close)
			run(t, router)
			site := site{url: server.URL, client: server.Client()}

			site.do(t, http.MethodGet, "key=a")
			assert.Equal(t, []int{0}, l.timeouts(t), "a plain request is as ever")
			users := []string{"ann"}
			if http2 {
				users = append(users, "bob")
			}
			var bodies []io.Reader
			for _, user := range users {
				request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, site.url+"/?key=a", http.NoBody)
				require.NoError(t, err)
				request.Header.Set("Accept", "text/event-stream")
				request.Header.Set("Accept-Encoding", "identity")
				request.Header.Set("User", user)
				response, err := site.client.Do(request)
				require.NoError(t, err)
				t.Cleanup(func() { _ = response.Body.Close() })
				bodies = append(bodies, response.Body)
				assert.Equal(t, []int{3000}, l.timeouts(t), "a stream is tuned")
			}
			for i, user := range users {
				assert.Equal(t, []int{3000}, l.timeouts(t), "while there is one")
				require.NoError(t, router.Kick(t.Context(), ssestream.Kick{Principal: user}))
				_, err := io.Copy(io.Discard, bodies[i])
				require.NoError(t, err)
			}
			site.do(t, http.MethodGet, "key=a")
			assert.Equal(t, []int{0}, l.timeouts(t), "the same connection is as before")
		})
	}
}

// TestAStalledClientBehindAnOpaqueWrapper is ended by Kick and Close, and in time by itself, where the server has
// ConnContext: there are no deadlines then.
func TestAStalledClientBehindAnOpaqueWrapper(t *testing.T) {
	t.Parallel()
	for name, end := range map[string]func(t *testing.T, router *ssestream.Router){
		"kick": func(t *testing.T, router *ssestream.Router) {
			t.Helper()
			require.NoError(t, router.Kick(t.Context(), ssestream.Kick{Principal: "ann"}))
			assert.Zero(t, router.Stats().Clients)
		},
		"close": func(t *testing.T, router *ssestream.Router) {
			t.Helper()
			require.NoError(t, router.Close())
		},
		"itself": func(t *testing.T, router *ssestream.Router) {
			t.Helper()
			eventually(t, func() bool { return router.Stats().Clients == 0 }, "the write ends")
			assert.EqualValues(t, 1, router.Stats().Dropped)
		},
	} {
		for _, http2 := range []bool{false, true} {
			t.Run(name+map[bool]string{true: ", HTTP 2", false: ", HTTP 1"}[http2], func(t *testing.T) {
				t.Parallel()
				config := ssestream.RouterConfig{
					Principal: func(*http.Request) string { return "ann" }, MaxFrameBytes: 64 << 20, Heartbeat: time.Minute,
					WriteTimeout: time.Minute, CloseTimeout: 20 * time.Second,
				}
				if name != "kick" {
					config.WriteTimeout = time.Second
				}
				board, router := newBoard(), newRouter(t, config)
				board.setText("a", bulk(20<<20))
				h := router.AddHandler(topic, board.adapter(t))
				server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
					h.ServeHTTP(flushable{w}, r)
				}))
				server.Config.ConnContext = router.ConnContext
				if server.EnableHTTP2 = http2; http2 {
					server.StartTLS()
				} else {
					server.Start()
				}
				t.Cleanup(server.Close)
				run(t, router)
				request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, server.URL+"/?key=a", http.NoBody)
				require.NoError(t, err)
				request.Header.Set("Accept", "text/event-stream")
				request.Header.Set("Accept-Encoding", "identity")
				response, err := server.Client().Do(request) // and does not read
				require.NoError(t, err)
				t.Cleanup(func() { _ = response.Body.Close() })
				end(t, router)
			})
		}
	}
}
