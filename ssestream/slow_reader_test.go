package ssestream_test

import (
	"context"
	"net"
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/feedmill/feedmill/ssestream"
	"github.com/feedmill/feedmill/ssestream/ssestreamtest"
)

// throttled is a connection that takes so many bytes a second.
type throttled struct {
	net.Conn

	rate int
}

// Read returns what comes in a tenth of a second, or a byte.
func (c throttled) Read(p []byte) (int, error) {
	atOnce := max(1, c.rate/10)
	pause(time.Second * time.Duration(atOnce) / time.Duration(c.rate))

	return c.Conn.Read(p[:min(len(p), atOnce)])
}

// inSlowBubbles runs f in worlds of virtual time whose client reads at a rate, each over another kind of connection.
func inSlowBubbles(t *testing.T, rate int, f func(b bubble)) {
	t.Helper()
	for name, kind := range map[string]struct{ taken, http2 bool }{
		"taken over": {taken: true}, "net/http": {}, "HTTP 2": {http2: true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				config := ssestream.RouterConfig{MaxFrameBytes: 2 << 20}
				w := settings{config: config}.start(t, func(tb testing.TB, h http.Handler) site {
					tb.Helper()
					p := &pipes{taken: kind.taken, conns: make(chan net.Conn), done: make(chan struct{})}
					protocols := new(http.Protocols)
					protocols.SetHTTP1(!kind.http2)
					protocols.SetUnencryptedHTTP2(kind.http2)
					server := &http.Server{Handler: h, ReadHeaderTimeout: time.Minute, Protocols: protocols}
					served := make(chan error, 1)
					go func() { served <- server.Serve(p) }()
					transport := &http.Transport{
						Protocols: protocols,
						DialContext: func(ctx context.Context, network, address string) (net.Conn, error) {
							conn, err := p.dial(ctx, network, address)

							return throttled{conn, rate}, err
						},
					}
					tb.Cleanup(func() {
						transport.CloseIdleConnections()
						require.NoError(tb, server.Close())
						require.ErrorIs(tb, <-served, http.ErrServerClosed)
						pause(time.Minute) // The client sees the end at its next read.
					})

					return site{url: "http://pipe", client: &http.Client{Transport: transport}}
				})
				f(bubble{T: t, site: w.site, board: w.board, source: w.source, router: w.router})
			})
		})
	}
}

// TestASteadySlowReader gets a state that takes it longer than WriteTimeout.
func TestASteadySlowReader(t *testing.T) {
	t.Parallel()
	inSlowBubbles(t, 50_000, func(b bubble) {
		b.board.setText("a", bulk(1<<20))
		start := time.Now()
		stream := b.connect("key=a")
		assert.Len(b, nextScore(b.T, stream).Text, 1<<20)
		assert.Greater(b, time.Since(start), 20*time.Second)
		b.board.set("a", 1)
		b.source.announce(b, "a")
		assert.Equal(b, 1, nextScore(b.T, stream).N)
		assert.Zero(b, b.router.Stats().Dropped)
	})
}

// TestAReaderThatDrips is dropped, though it always takes something.
func TestAReaderThatDrips(t *testing.T) {
	t.Parallel()
	inSlowBubbles(t, 1000, func(b bubble) {
		b.board.setText("a", bulk(1<<20))
		stream, err := ssestreamtest.Connect(b.Context(), b.client, b.url+"/?key=a")
		require.NoError(b, err)
		ended(b.T, stream)
		require.NoError(b, stream.Close())
		synctest.Wait() // The client may see the end before it is counted.
		assert.EqualValues(b, 1, b.router.Stats().Dropped)
	})
}
