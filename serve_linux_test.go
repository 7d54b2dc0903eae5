package feedmill_test

import (
	"context"
	"net"
	"net/http"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/feedmill/feedmill"
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
