package feedmill_test

import (
	"context"
	"net"
	"net/http"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/feedmill/feedmill"
	"github.com/feedmill/feedmill/ssestream"
)

// watchedWriter tells the time-out that its connection has when something is written.
type watchedWriter struct {
	http.ResponseWriter

	conn     syscall.Conn
	timeouts chan int
}

func (w watchedWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }

func (w watchedWriter) Write(p []byte) (int, error) {
	raw, err := w.conn.SyscallConn()
	if err != nil {
		return 0, err
	}
	err = raw.Control(func(fd uintptr) {
		const tcpUserTimeout = 18
		timeout, _ := syscall.GetsockoptInt(int(fd), syscall.IPPROTO_TCP, tcpUserTimeout)
		w.timeouts <- timeout
	})
	if err != nil {
		return 0, err
	}
	return w.ResponseWriter.Write(p)
}

// TestServeTunesConnectionsOfStreams, so that a dead peer is noticed whatever the protocol, beside what the server's own
// ConnContext does.
func TestServeTunesConnectionsOfStreams(t *testing.T) {
	t.Parallel()
	type mine struct{}
	timeouts := make(chan int, 10)
	n := newNotes(t)
	app := newApp(t, feedmill.Config{Outbox: n.store.Outbox()})
	mux := http.NewServeMux()
	mux.HandleFunc("GET /feeds/{tag}", n.add(t, app).Handler("tag"))
	server := &http.Server{
		ReadHeaderTimeout: 5 * time.Second,
		ConnContext:       func(ctx context.Context, conn net.Conn) context.Context { return context.WithValue(ctx, mine{}, conn) },
		Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			conn, _ := r.Context().Value(mine{}).(syscall.Conn)
			mux.ServeHTTP(watchedWriter{w, conn, timeouts}, r)
		}),
	}
	ctx, stop := context.WithCancel(context.WithoutCancel(t.Context()))
	ended := make(chan error, 1)
	listener := listen(t)
	go func() { ended <- app.Serve(ctx, server, listener) }()
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	for _, accept := range []string{"application/json", "text/event-stream"} {
		request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+listener.Addr().String()+"/feeds/go", http.NoBody)
		require.NoError(t, err)
		request.Header.Set("Accept", accept)
		response, err := client.Do(request)
		require.NoError(t, err)
		assert.Equal(t, accept == "text/event-stream", <-timeouts > 0, accept)
		require.NoError(t, response.Body.Close())
	}
	stop()
	require.NoError(t, <-ended)
}

// TestStreamsOfAnAppLeaveNetHTTP, for nothing of an App sees them end. That halves what they take.
//
//nolint:paralleltest // it looks at the goroutines of all tests
func TestStreamsOfAnAppLeaveNetHTTP(t *testing.T) {
	n := newNotes(t)
	app := newApp(t, feedmill.Config{Outbox: n.store.Outbox()})
	tags := n.add(t, app)
	several, err := app.Streams(ssestream.Stream{
		Pattern: "notes:{tag}", Topics: []string{tags.Topic()}, Adapter: tags.Pages("tag", nil),
	})
	require.NoError(t, err)
	mux := http.NewServeMux()
	mux.HandleFunc("GET /feeds/{tag}", tags.Handler("tag"))
	mux.HandleFunc("GET /streams", several)
	s := serve(t, app, app.Problems(mux))
	next[notePage](t, s.follow(t, "/feeds/go"))
	next[notePage](t, s.follow(t, "/streams?stream=notes:go"))
	require.Eventually(t, func() bool {
		all := make([]byte, 1<<20)
		all = all[:runtime.Stack(all, true)]
		streams, stayed := 0, 0
		for goroutine := range strings.SplitSeq(string(all), "\n\n") {
			if strings.Contains(goroutine, "takeover.(*Conn).Serve") {
				streams++
				if strings.Contains(goroutine, "net/http.(*conn).serve") {
					stayed++
				}
			}
		}
		return streams == 2 && stayed == 0
	}, patience/6, time.Millisecond)
}
