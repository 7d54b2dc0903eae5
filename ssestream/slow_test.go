package ssestream_test

import (
	"context"
	"encoding/json"
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
)

// TestASlowClientSkipsAndComesBack stops reading, skips states, and is as quick as before when it reads again.
func TestASlowClientSkipsAndComesBack(t *testing.T) {
	t.Parallel()
	board, source := newBoard(), newSource()
	router := newRouter(t, ssestream.RouterConfig{UpstreamSubscriber: source, WriteTimeout: time.Minute})
	site := serveNarrow(t, router.AddHandler(topic, board.adapter(t)))
	run(t, router)
	slow, live := site.connect(t, "key=a"), site.connect(t, "key=a")
	nextScore(t, slow)
	nextScore(t, live)

	// More than the buffers in between hold. The other client gets every state.
	const last, textSize = 20, 256 << 10
	board.setText("a", bulk(textSize))
	for n := 1; n <= last; n++ {
		board.set("a", n)
		source.announce(t, "a")
		require.Equal(t, n, nextScore(t, live).N)
	}
	eventually(t, func() bool { return router.Stats().Slow > 0 }, "the slow client's socket is full")

	seen, states := 0, 0
	for seen < last {
		s := nextScore(t, slow)
		require.Greater(t, s.N, seen)
		require.Len(t, s.Text, textSize, "no frame is cut or mixed with another")
		seen, states = s.N, states+1
	}
	assert.Less(t, states, last)
	eventually(t, func() bool { return router.Stats().Skipped == int64(last-states) }, "the last write is counted after it")

	// After the shard has it back, writing does not block.
	board.setText("a", "")
	for slowed := int64(-1); router.Stats().Slow != slowed; {
		slowed = router.Stats().Slow
		seen++
		board.set("a", seen)
		source.announce(t, "a")
		require.Equal(t, seen, nextScore(t, live).N)
		require.Equal(t, seen, nextScore(t, slow).N)
	}
	assert.Zero(t, router.Stats().Dropped)
}

// TestCloseBetweenTheTurnsOfAFrame sends the rest of it before the farewell.
func TestCloseBetweenTheTurnsOfAFrame(t *testing.T) {
	t.Parallel()
	w := settings{config: ssestream.RouterConfig{Heartbeat: ssestream.Off, MaxFrameBytes: 2 << 20}}.start(t, serve)
	const clients = 10
	received := make(chan string, clients)
	for range clients {
		conn := send(t, w.site, "GET /?key=a HTTP/1.1\r\nHost: x\r\nAccept: text/event-stream\r\n\r\n")
		go func() {
			body, err := io.ReadAll(conn)
			assert.NoError(t, err)
			received <- string(body)
		}()
	}
	eventually(t, func() bool { return w.router.Stats().Frames == clients }, "all have the first state")
	w.board.setText("a", bulk(1<<20))
	w.source.announce(t, "a")
	eventually(t, func() bool { return w.router.Stats().Frames > clients }, "one has the large state")
	require.NoError(t, w.router.Close())
	for range clients {
		body := <-received
		assert.NotContains(t, body, "xretry", "the farewell is no part of the frame")
		assert.Regexp(t, `\n\nretry: \d+\n\n$`, body[max(0, len(body)-100):])
	}
}

// TestTheKernelHoldsLittle of what a client does not read, so that a slow one is sent states that are new.
func TestTheKernelHoldsLittle(t *testing.T) {
	t.Parallel()
	config := ssestream.RouterConfig{Heartbeat: ssestream.Off, WriteTimeout: time.Minute}
	w := settings{config: config}.start(t, serve)
	live := w.connect(t, "key=a")
	nextScore(t, live)
	conn := send(t, w.site, "GET /?key=a HTTP/1.1\r\nHost: x\r\nAccept: text/event-stream\r\n\r\n")
	tcp, ok := conn.(*net.TCPConn)
	require.True(t, ok)
	require.NoError(t, tcp.SetReadBuffer(4<<10))
	eventually(t, func() bool { return w.router.Stats().Frames == 2 }, "both have the first state")

	const size, most = 32 << 10, 20
	w.board.setText("a", bulk(size))
	n := 0
	for ; n < most && w.router.Stats().Slow == 0; n++ {
		w.board.set("a", n+1)
		w.source.announce(t, "a")
		assert.Equal(t, n+1, nextScore(t, live).N)
		eventually(t, func() bool {
			stats := w.router.Stats()

			return stats.Slow > 0 || stats.Frames == int64(2*(n+2)) // Each has the first state and those since.
		}, "the state is written to both, or cannot be")
	}
	assert.Less(t, n, most, "%d KiB are on their way", n*size>>10)
}

// serveNarrow serves h on connections that hold little of what is written to them.
func serveNarrow(tb testing.TB, h http.Handler) site {
	tb.Helper()
	server := httptest.NewUnstartedServer(h)
	server.Config.ConnContext = func(ctx context.Context, conn net.Conn) context.Context {
		tcp, ok := conn.(*net.TCPConn)
		require.True(tb, ok)
		require.NoError(tb, tcp.SetWriteBuffer(64<<10))

		return ctx
	}
	server.Start()
	tb.Cleanup(server.Close)

	return site{url: server.URL, client: server.Client()}
}

// TestAConnectionThatWrapsAnother is written by its own methods, on a goroutine while something is due.
func TestAConnectionThatWrapsAnother(t *testing.T) {
	t.Parallel()
	board, source := newBoard(), newSource()
	router := newRouter(t, ssestream.RouterConfig{UpstreamSubscriber: source, Heartbeat: 50 * time.Millisecond})
	site := serveWrapped(t, router.AddHandler(topic, board.adapter(t)))
	run(t, router)
	stream := site.connect(t, "key=a")
	assert.Equal(t, 0, nextScore(t, stream).N)
	for n := 1; n <= 50; n++ {
		board.set("a", n)
		source.announce(t, "a")
		assert.Equal(t, n, nextScore(t, stream).N)
	}
	require.Eventually(t, func() bool { return stream.Comments() >= 3 }, time.Minute, time.Millisecond)
	assert.Zero(t, router.Stats().Slow)
}

// TestWritesDoNotOverlap changes many keys at once while clients of several streams read slowly, so that the shard, the
// goroutines of slow connections and heartbeats all have something to write.
func TestWritesDoNotOverlap(t *testing.T) {
	t.Parallel()
	board, source := newBoard(), newSource()
	router := newRouter(t, ssestream.RouterConfig{UpstreamSubscriber: source, Heartbeat: time.Millisecond})
	keys := []string{"a", "b", "c", "d"}
	for _, key := range keys {
		board.setText(key, strings.Repeat(key, 64<<10))
	}
	site := serve(t, streamsOf(t, router, board))
	run(t, router)

	const updates, clients = 50, 4
	done := make(chan struct{})
	for range clients {
		stream := site.connect(t, "stream=score:a&stream=score:b&stream=score:c&stream=score:d")
		go func() {
			defer func() { done <- struct{}{} }()
			last := map[string]int{}
			for finished := 0; finished < len(keys); {
				event, err := stream.Next(t.Context())
				var s score
				if !assert.NoError(t, err) || !assert.NoError(t, json.Unmarshal([]byte(event.Data), &s), event.Data) {
					return
				}
				assert.True(t, s.Text == strings.Repeat(s.Key, 64<<10) && event.Type == "score:"+s.Key, "a frame of %s", event.Type)
				assert.GreaterOrEqual(t, s.N, last[s.Key])
				if last[s.Key] = s.N; s.N == updates {
					finished++
				}
				pause(time.Millisecond)
			}
		}()
	}
	for n := 1; n <= updates; n++ {
		for _, key := range keys {
			board.set(key, n)
		}
		source.announce(t, keys...)
		pause(time.Millisecond)
	}
	for range clients {
		<-done
	}
}

// TestNoWakeIsLost changes the states of one connection all at once, so that some become due while others are written.
// There is no resync and no heartbeat, so a lost wake is never made up for.
func TestNoWakeIsLost(t *testing.T) {
	t.Parallel()
	board, source := newBoard(), newSource()
	router := newRouter(t, ssestream.RouterConfig{UpstreamSubscriber: source, Heartbeat: ssestream.Off})
	site := serve(t, streamsOf(t, router, board))
	run(t, router)
	keys := []string{"a", "b", "c", "d", "e", "f", "g", "h"}
	stream := site.connect(t, "stream=score:"+strings.Join(keys, "&stream=score:"))
	for range keys {
		next(t, stream)
	}
	rounds := 1500 // a lost wake may take a thousand
	if compressed() {
		rounds = 300 // wakes are the same, and rounds take longer
	}
	for n := 1; n <= rounds; n++ {
		for _, key := range keys {
			board.set(key, n)
		}
		source.announce(t, keys...)
		for current := 0; current < len(keys); {
			var s score
			require.NoError(t, json.Unmarshal([]byte(next(t, stream).Data), &s))
			if s.N == n {
				current++
			}
		}
	}
}
