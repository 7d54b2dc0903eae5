package network_test

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/ThreeDotsLabs/watermill"
	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/feedmill/feedmill/ssestream"
	"github.com/feedmill/feedmill/ssestream/ssestreamtest"
)

// state is a number, with so much text beside it.
type state struct {
	N    int64
	Text string
}

// world is a router with one state.
type world struct {
	router *ssestream.Router
	h      http.Handler
	n      atomic.Int64
	size   atomic.Int64
}

func newWorld(t *testing.T, config ssestream.RouterConfig) *world {
	t.Helper()
	w := &world{}
	adapter, err := ssestream.AdapterBuilder[struct{}, state]{
		RequestKey: func(*http.Request) (string, error) { return "key", nil },
		EventKeys:  func(struct{}) []string { return []string{"key"} },
		Load: func(context.Context, string) (state, error) {
			return state{w.n.Load(), strings.Repeat("x", int(w.size.Load()))}, nil
		},
	}.Build()
	require.NoError(t, err)
	w.router, err = ssestream.NewRouter(config, watermill.NopLogger{})
	require.NoError(t, err)
	w.h = w.router.AddHandler("changed", adapter)
	done := make(chan error, 1)
	go func() { done <- w.router.Run(context.Background()) }()
	t.Cleanup(func() {
		require.NoError(t, w.router.Close())
		require.NoError(t, <-done)
	})
	<-w.router.Running()

	return w
}

// change makes the next state.
func (w *world) change() error {
	w.n.Add(1)
	return w.router.Publish("changed", message.NewMessage(watermill.NewUUID(), []byte("{}")))
}

// kinds are the servers of each kind of connection.
func kinds(w *world) map[string]func(*httptest.Server) {
	context := func(s *httptest.Server) { s.Config.ConnContext = w.router.ConnContext }

	return map[string]func(*httptest.Server){
		"taken over": func(s *httptest.Server) { s.Start() },
		"wrapped writer": func(s *httptest.Server) {
			context(s)
			s.Config.Handler = http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
				w.h.ServeHTTP(wrapper{rw}, r)
			})
			s.Start()
		},
		"TLS": func(s *httptest.Server) {
			context(s)
			s.StartTLS()
		},
		"HTTP 2": func(s *httptest.Server) {
			context(s)
			s.EnableHTTP2 = true
			s.StartTLS()
		},
	}
}

type wrapper struct{ http.ResponseWriter }

func (w wrapper) Unwrap() http.ResponseWriter { return w.ResponseWriter }

// connect connects by a connection of its own.
func connect(t *testing.T, server *httptest.Server) *ssestreamtest.Stream {
	t.Helper()
	stream, err := ssestreamtest.Connect(t.Context(), server.Client(), server.URL)
	require.NoError(t, err)
	t.Cleanup(func() { _ = stream.Close() })

	return stream
}

func next(t *testing.T, stream *ssestreamtest.Stream) state {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	event, err := stream.Next(ctx)
	require.NoError(t, err)
	var s state
	require.NoError(t, json.Unmarshal([]byte(event.Data), &s))

	return s
}

// TestADeadPeer is noticed within three heartbeats, however its stream is written.
func TestADeadPeer(t *testing.T) {
	t.Parallel()
	alone(t, func(t *testing.T) {
		t.Helper()
		const heartbeat = 2 * time.Second
		worlds := map[string]*world{}
		var streams []*ssestreamtest.Stream
		for name := range kinds(nil) {
			w := newWorld(t, ssestream.RouterConfig{Heartbeat: heartbeat, WriteTimeout: time.Second})
			server := httptest.NewUnstartedServer(w.h)
			kinds(w)[name](server)
			t.Cleanup(server.Close)
			stream := connect(t, server)
			next(t, stream)
			worlds[name], streams = w, append(streams, stream)
		}
		cut(t)
		start := time.Now()
		for name, w := range worlds {
			require.Eventually(t, func() bool { return w.router.Stats().Clients == 0 }, time.Minute, 10*time.Millisecond, name)
			t.Logf("%s: noticed after %s", name, time.Since(start))
		}
		assert.Less(t, time.Since(start), 3*heartbeat+heartbeat/2)
		// The server's end does not reach the clients, so each ends by itself. While the context lives, Close waits until the
		// connection is idle, and the server's Close finds it so.
		for _, stream := range streams {
			require.NoError(t, stream.Close())
		}
	})
}

// TestASlowLink carries a state that takes longer than WriteTimeout, and new ones are not old when they arrive.
func TestASlowLink(t *testing.T) {
	t.Parallel()
	alone(t, func(t *testing.T) {
		t.Helper()
		slow(t, "4mbit")
		for name := range kinds(nil) {
			w := newWorld(t, ssestream.RouterConfig{WriteTimeout: 500 * time.Millisecond, MaxFrameBytes: 2 << 20})
			w.size.Store(1 << 20)
			server := httptest.NewUnstartedServer(w.h)
			kinds(w)[name](server)
			start := time.Now()
			stream := connect(t, server)
			assert.Len(t, next(t, stream).Text, 1<<20)
			t.Logf("%s: 1 MiB in %s", name, time.Since(start))
			assert.Zero(t, w.router.Stats().Dropped)

			w.size.Store(20 << 10)
			stop := make(chan struct{})
			var changes sync.WaitGroup
			changes.Go(func() {
				for {
					select {
					case <-stop:
						return
					case <-time.After(10 * time.Millisecond):
						assert.NoError(t, w.change())
					}
				}
			})
			var age int64
			for range 40 {
				age = max(age, w.n.Load()-next(t, stream).N)
			}
			close(stop)
			changes.Wait()
			t.Logf("%s: states of 20 KiB are up to %d ms old", name, age*10)
			assert.Less(t, age, int64(100))
			require.NoError(t, stream.Close())
			server.Close()
		}
	})
}

// TestADownloadThatPauses on a connection that streams may come on goes on, for its peer lives: it acknowledges that it has no
// room.
func TestADownloadThatPauses(t *testing.T) {
	t.Parallel()
	alone(t, func(t *testing.T) {
		t.Helper()
		const heartbeat, size = 300 * time.Millisecond, 32 << 20
		w := newWorld(t, ssestream.RouterConfig{Heartbeat: heartbeat, WriteTimeout: heartbeat})
		server := httptest.NewUnstartedServer(http.HandlerFunc(func(rw http.ResponseWriter, _ *http.Request) {
			_, err := rw.Write(make([]byte, size))
			assert.NoError(t, err)
		}))
		server.Config.ConnContext = w.router.ConnContext
		server.Start()
		t.Cleanup(server.Close)
		response, err := server.Client().Get(server.URL)
		require.NoError(t, err)
		defer response.Body.Close()
		<-time.After(10 * heartbeat) // What the kernel would do has no other sign.
		n, err := io.Copy(io.Discard, response.Body)
		require.NoError(t, err)
		assert.EqualValues(t, size, n)
	})
}
