package ssestreamtest_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"runtime"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/feedmill/feedmill/ssestream/ssestreamtest"
)

// post returns the body of the response and the version of HTTP.
func post(client *http.Client, url string, body []byte) ([]byte, int, error) {
	response, err := client.Post(url, "", bytes.NewReader(body))
	if err != nil {
		return nil, 0, err
	}
	got, err := io.ReadAll(response.Body)

	return got, response.ProtoMajor, errors.Join(err, response.Body.Close())
}

// TestProxyForwards has many connections at once, of HTTP/1.1 and HTTP/2.
func TestProxyForwards(t *testing.T) {
	t.Parallel()

	for name, start := range map[string]func(*httptest.Server){
		"HTTP/1.1": (*httptest.Server).Start,
		"TLS":      (*httptest.Server).StartTLS,
		"HTTP/2": func(s *httptest.Server) {
			s.EnableHTTP2 = true
			s.StartTLS()
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				body, err := io.ReadAll(r.Body)
				assert.NoError(t, err)
				_, _ = w.Write(body)
			}))
			start(server)
			t.Cleanup(server.Close)
			proxy := startProxy(t, server.URL)
			body := make([]byte, 200<<10)
			_, _ = rand.Read(body)
			var wg sync.WaitGroup
			for range 20 {
				wg.Go(func() {
					got, version, err := post(server.Client(), proxy.URL(), body)
					if err != nil || !bytes.Equal(body, got) || (version == 2) != (name == "HTTP/2") {
						t.Errorf("by version %d came %d bytes, %v", version, len(got), err)
					}
				})
			}
			wg.Wait()
			server.Client().CloseIdleConnections()
		})
	}
}

func TestProxyForwardsEnds(t *testing.T) {
	t.Parallel()

	w := newWire(t)
	t.Run("of the server", func(t *testing.T) {
		t.Parallel()
		client, server := w.connect(t)
		send(t, server, "x")
		require.NoError(t, server.CloseWrite())
		got, err := end(client)
		require.NoError(t, err)
		assert.Equal(t, "x", got)
		send(t, client, "still")
		assert.Equal(t, "still", receive(t, server, 5))
	})
	t.Run("of the client", func(t *testing.T) {
		t.Parallel()
		client, server := w.connect(t)
		send(t, client, "x")
		require.NoError(t, client.CloseWrite())
		got, err := end(server)
		require.NoError(t, err)
		assert.Equal(t, "x", got)
		send(t, server, "still")
		assert.Equal(t, "still", receive(t, client, 5))
	})
	t.Run("of the server, by reset", func(t *testing.T) {
		t.Parallel()
		client, server := w.connect(t)
		require.NoError(t, server.SetLinger(0))
		require.NoError(t, server.Close())
		_, err := end(client)
		requireReset(t, err)
	})
	t.Run("of the client, by reset", func(t *testing.T) {
		t.Parallel()
		client, server := w.connect(t)
		require.NoError(t, client.SetLinger(0))
		require.NoError(t, client.Close())
		_, err := end(server)
		requireReset(t, err)
	})
}

func TestProxyCutsAfter(t *testing.T) {
	t.Parallel()

	w := newWire(t)
	open, _ := w.connect(t)
	send(t, open, "no response comes")
	w.Set(ssestreamtest.Faults{CutAfter: 1})
	got, err := end(open)
	require.NoError(t, err, "a connection past the limit is cut at once")
	assert.Empty(t, got)

	w.Set(ssestreamtest.Faults{CutAfter: 3})
	client, server := w.dial(t), w.accept(t)
	send(t, server, "all")
	got, err = end(client)
	require.NoError(t, err, "the cut does not wait for another byte")
	assert.Equal(t, "all", got)

	w.Set(ssestreamtest.Faults{CutAfter: 100_001})
	for range 3 {
		client, server := w.dial(t), w.accept(t)
		go func() { _, _ = server.Write(bytes.Repeat([]byte("x"), 1<<20)) }()
		got, err := end(client)
		require.NoError(t, err)
		assert.Len(t, got, 100_001)
		_, err = end(server)
		require.NotErrorIs(t, err, os.ErrDeadlineExceeded)
	}
}

// TestProxyStalls tests both directions: a server's writes block in the end, although the client reads.
func TestProxyStalls(t *testing.T) {
	t.Parallel()

	w := newWire(t)
	client, server := w.connect(t)
	leaving, waiting := w.connect(t)
	patient, closing := w.connect(t)
	require.NoError(t, server.SetWriteBuffer(64<<10))
	w.Set(ssestreamtest.Faults{Stall: true})
	late := w.dial(t)
	send(t, late, "x")
	send(t, client, "y")
	for _, conn := range []*net.TCPConn{client, leaving, closing} {
		require.NoError(t, conn.CloseWrite())
	}
	type result struct {
		got string
		err error
	}
	read := make(chan result, 1)
	go func() {
		got, err := end(client)
		read <- result{got, err}
	}()
	require.NoError(t, server.SetWriteDeadline(time.Now().Add(200*time.Millisecond)))
	n, err := server.Write(make([]byte, 32<<20))
	require.ErrorIs(t, err, os.ErrDeadlineExceeded)
	assert.Less(t, n, 1<<20)
	for _, conn := range []*net.TCPConn{server, late, waiting, patient} {
		requireNothing(t, conn)
	}
	require.NoError(t, server.CloseWrite())
	require.Empty(t, read)

	w.Set(ssestreamtest.Faults{})
	assert.Equal(t, "x", receive(t, w.accept(t), 1))
	got := <-read
	require.NoError(t, got.err)
	assert.Len(t, got.got, n)
	up, err := end(server)
	require.NoError(t, err)
	assert.Equal(t, "y", up)
	for _, conn := range []*net.TCPConn{waiting, patient} {
		_, err = end(conn)
		require.NoError(t, err)
	}
}

func TestProxyCuts(t *testing.T) {
	t.Parallel()

	for name, faults := range map[string]ssestreamtest.Faults{
		"idle": {}, "stalled": {Stall: true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWire(t)
			client, server := w.connect(t)
			w.Set(faults)
			send(t, server, "xx")
			send(t, client, "yy")
			if name == "idle" {
				receive(t, client, 2)
			}
			w.Cut()
			send(t, client, string(make([]byte, 16<<20))) // Input after the cut must not cause a reset.
			_, err := end(client)
			require.NoError(t, err)
			_, err = end(server)
			if err != nil {
				requireReset(t, err)
			}

			w.Set(ssestreamtest.Faults{})
			w.connect(t) // New connections work.
		})
	}
}

func TestProxyResets(t *testing.T) {
	t.Parallel()

	w := newWire(t)
	client, server := w.connect(t)
	w.Set(ssestreamtest.Faults{Stall: true})
	send(t, server, "x")
	w.Reset()
	_, err := end(client)
	requireReset(t, err)
	_, err = end(server)
	requireReset(t, err)
}

func TestProxyStrands(t *testing.T) {
	t.Parallel()

	w := newWire(t)
	client, server := w.connect(t)
	leaving, waiting := w.connect(t)
	w.Strand()
	send(t, client, "x")
	send(t, server, "y")
	require.NoError(t, leaving.CloseWrite())
	for _, conn := range []*net.TCPConn{client, server, waiting} {
		requireNothing(t, conn)
	}
	w.connect(t) // A new connection works.
	w.Set(ssestreamtest.Faults{CutAfter: 1 << 20})
	requireNothing(t, server) // A change of the faults does not revive the old one.

	w.Reset()
	for _, conn := range []*net.TCPConn{client, server, waiting} {
		_, err := end(conn)
		requireReset(t, err)
	}
}

func TestProxyRefuses(t *testing.T) {
	t.Parallel()

	w := newWire(t)
	client, server := w.connect(t)
	w.Set(ssestreamtest.Faults{Refuse: true})
	requireRefusal(t, w)
	send(t, server, "x")
	assert.Equal(t, "x", receive(t, client, 1))
	w.Set(ssestreamtest.Faults{})
	w.connect(t)
}

func TestProxyWithoutAServer(t *testing.T) {
	t.Parallel()

	w := newWire(t)
	require.NoError(t, w.server.Close())
	requireRefusal(t, w)

	for _, target := range []string{"127.0.0.1:80", "http://127.0.0.1", "http://a b"} {
		_, err := ssestreamtest.StartProxy(target)
		require.Error(t, err, target)
	}
}

// TestProxyCloses has connections in every state. Goleak checks that no goroutine is left.
func TestProxyCloses(t *testing.T) {
	t.Parallel()

	for name, faults := range map[string]ssestreamtest.Faults{
		"open": {}, "stalled": {Stall: true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWire(t)
			cut, _ := w.connect(t)
			w.Cut() // The client does not close its side.
			client, server := w.connect(t)
			w.Set(faults)
			send(t, client, "x")
			go func() { _, _ = server.Write(make([]byte, 64<<20)) }() // The client does not read.
			require.NoError(t, w.Close())
			require.NoError(t, w.Close())
			_, err := end(cut)
			require.NoError(t, err)
			_, err = end(server)
			require.NotErrorIs(t, err, os.ErrDeadlineExceeded)
			_, err = w.tryDial(t)
			require.ErrorIs(t, err, syscall.ECONNREFUSED)
		})
	}
}

// TestProxyCloseLeavesNoGoroutine is not parallel, because it would see the goroutines of other tests.
func TestProxyCloseLeavesNoGoroutine(t *testing.T) { //nolint:paralleltest // see above
	stacks := make([]byte, 1<<20)
	for range 20 {
		w := newWire(t)
		for range 5 {
			w.connect(t)
		}
		require.NoError(t, w.Close())
		for _, of := range []string{"ssestreamtest.(*Proxy)", "ssestreamtest.(*link)"} { // A client of another test may be about to end.
			require.NotContains(t, string(stacks[:runtime.Stack(stacks, true)]), of)
		}
	}
}

// A client loses its connection within the second event. It continues after the first.
func ExampleProxy() {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/event-stream")
		fmt.Fprintf(w, "id: 1\ndata: after %q\n\n", r.Header.Get("Last-Event-ID"))
		http.NewResponseController(w).Flush()
		<-r.Context().Done()
	}))
	defer server.Close()
	proxy, err := ssestreamtest.StartProxy(server.URL)
	if err != nil {
		panic(err)
	}
	defer proxy.Close()

	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	source := ssestreamtest.Open(ctx, server.Client(), proxy.URL(), ssestreamtest.WithMaxWait(0))
	defer source.Close()
	event, err := source.Next(ctx)
	fmt.Println(event.Data, err)
	proxy.Cut()
	event, err = source.Next(ctx)
	fmt.Println(event.Data, err)
	fmt.Println("connections:", source.Connections())
	// Output:
	// after "" <nil>
	// after "1" <nil>
	// connections: 2
}
