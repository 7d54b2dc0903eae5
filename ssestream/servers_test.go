package ssestream_test

import (
	"context"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/feedmill/feedmill/ssestream"
	"github.com/feedmill/feedmill/ssestream/ssestreamtest"
)

// site is a running server and a client for it.
type site struct {
	url    string
	client *http.Client
}

func (s site) connect(tb testing.TB, query string, options ...ssestreamtest.Option) *ssestreamtest.Stream {
	tb.Helper()
	stream, err := ssestreamtest.Connect(tb.Context(), s.client, s.url+"/?"+query, options...)
	require.NoError(tb, err)
	tb.Cleanup(func() { require.NoError(tb, stream.Close()) })

	return stream
}

// answer is a response, read to its end.
type answer struct {
	status int
	header http.Header
	body   string
}

func (s site) do(tb testing.TB, method, query string, header ...string) answer {
	tb.Helper()
	r, err := http.NewRequestWithContext(tb.Context(), method, s.url+"/?"+query, http.NoBody)
	require.NoError(tb, err)
	for i := 0; i < len(header); i += 2 {
		r.Header.Add(header[i], header[i+1])
	}
	response, err := s.client.Do(r)
	require.NoError(tb, err)
	body, err := io.ReadAll(response.Body)
	require.NoError(tb, err)
	require.NoError(tb, response.Body.Close())

	return answer{status: response.StatusCode, header: response.Header, body: string(body)}
}

// serve serves h by HTTP/1.1 on a real connection.
func serve(tb testing.TB, h http.Handler) site {
	tb.Helper()
	server := httptest.NewServer(h)
	tb.Cleanup(server.Close)

	return site{url: server.URL, client: server.Client()}
}

// serveHTTP2 serves h by HTTP/2 over TLS.
func serveHTTP2(tb testing.TB, h http.Handler, settings func(*http.Server)) site {
	tb.Helper()
	server := httptest.NewUnstartedServer(h)
	server.EnableHTTP2 = true
	if settings != nil {
		settings(server.Config)
	}
	server.StartTLS()
	tb.Cleanup(server.Close)

	return site{url: server.URL, client: server.Client()}
}

// pipes is a listener of connections in memory without buffers. In a synctest bubble time stands still while anything is
// under way, and a client that does not read is slow at once.
type pipes struct {
	taken bool // connections seem to be of TCP, so that the router takes them over
	conns chan net.Conn
	done  chan struct{}
	once  sync.Once
}

func (p *pipes) Accept() (net.Conn, error) {
	select {
	case conn := <-p.conns:
		return conn, nil
	case <-p.done:
		return nil, net.ErrClosed
	}
}

func (p *pipes) Close() error {
	p.once.Do(func() { close(p.done) })

	return nil
}

func (p *pipes) Addr() net.Addr { return &net.UnixAddr{Name: "pipe", Net: "pipe"} }

func (p *pipes) dial(ctx context.Context, _, _ string) (net.Conn, error) {
	client, server := net.Pipe()
	if p.taken {
		server = seemingTCP{server}
	}
	select {
	case p.conns <- server:
		return client, nil
	case <-p.done:
		return nil, net.ErrClosed
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// seemingTCP is a connection that is not TCP but has TCP addresses, as one that counts or limits.
type seemingTCP struct{ net.Conn }

func (seemingTCP) LocalAddr() net.Addr  { return &net.TCPAddr{IP: net.IPv6loopback, Port: 80} }
func (seemingTCP) RemoteAddr() net.Addr { return &net.TCPAddr{IP: net.IPv6loopback, Port: 1024} }

// servePipes serves h over pipes.
func servePipes(tb testing.TB, h http.Handler) site {
	tb.Helper()

	return servePipesOf(tb, h, &pipes{conns: make(chan net.Conn), done: make(chan struct{})})
}

// serveTakenPipes serves h over pipes that the router takes over.
func serveTakenPipes(tb testing.TB, h http.Handler) site {
	tb.Helper()

	return servePipesOf(tb, h, &pipes{taken: true, conns: make(chan net.Conn), done: make(chan struct{})})
}

func servePipesOf(tb testing.TB, h http.Handler, listener *pipes) site {
	tb.Helper()
	server := &http.Server{Handler: h, ReadHeaderTimeout: time.Minute}
	served := make(chan error, 1)
	go func() { served <- server.Serve(listener) }()
	transport := &http.Transport{DialContext: listener.dial}
	tb.Cleanup(func() {
		transport.CloseIdleConnections()
		require.NoError(tb, server.Close())
		require.ErrorIs(tb, <-served, http.ErrServerClosed)
	})

	return site{url: "http://pipe", client: &http.Client{Transport: transport}}
}

// bubble is a world with virtual time: a board, its router and a server for it.
type bubble struct {
	*testing.T
	site
	board  *board
	source *source
	router *ssestream.Router
	rights *rights
}

// inBubble runs f with a running router of that configuration.
func inBubble(t *testing.T, config ssestream.RouterConfig, f func(b bubble)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		b := bubble{T: t, board: newBoard(), source: newSource()}
		config.UpstreamSubscriber = b.source
		b.router = newRouter(t, config)
		b.site = servePipes(t, b.router.AddHandler(topic, b.board.adapter(t)))
		run(t, b.router)
		f(b)
	})
}

func (b bubble) connect(query string, options ...ssestreamtest.Option) *ssestreamtest.Stream {
	b.Helper()

	return b.site.connect(b.T, query, options...)
}

// connectLater connects in the background, for a state that is not there yet.
func (b bubble) connectLater(query string, options ...ssestreamtest.Option) <-chan *ssestreamtest.Stream {
	b.Helper()
	streams := make(chan *ssestreamtest.Stream, 1)
	go func() { streams <- b.connect(query, options...) }()

	return streams
}

// quiet asserts that nothing comes while the given time passes.
func (b bubble) quiet(stream *ssestreamtest.Stream, d time.Duration) {
	b.Helper()
	ctx, cancel := context.WithTimeout(b.Context(), d)
	defer cancel()
	event, err := stream.Next(ctx)
	require.ErrorIs(b, err, context.DeadlineExceeded, "event %v", event)
}

// ended asserts that the server ends the stream, with nothing more to come.
func ended(tb testing.TB, stream *ssestreamtest.Stream) {
	tb.Helper()
	ctx, cancel := context.WithTimeout(tb.Context(), 10*time.Minute)
	defer cancel()
	event, err := stream.Next(ctx)
	require.Error(tb, err, "event %v", event)
	require.NotErrorIs(tb, err, context.DeadlineExceeded)
}
