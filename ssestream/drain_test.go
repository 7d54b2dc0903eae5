package ssestream_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"regexp"
	"slices"
	"strconv"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/feedmill/feedmill/ssestream"
	"github.com/feedmill/feedmill/ssestream/ssestreamtest"
)

// draining has reconnection times of a drain that hardly overlap with those of a stream's beginning.
func draining() ssestream.RouterConfig {
	return ssestream.RouterConfig{Retry: 2 * time.Second, DrainWindow: 1000 * time.Second}
}

// assertSpread asserts that the retries are those of a drain, spread over its window.
func assertSpread(tb testing.TB, retries []time.Duration) {
	tb.Helper()
	for _, retry := range retries {
		assert.GreaterOrEqual(tb, retry, time.Second)
		assert.LessOrEqual(tb, retry, 1001*time.Second)
	}
	slices.Sort(retries)
	assert.Less(tb, retries[0], 500*time.Second)
	assert.Greater(tb, retries[len(retries)-1], 500*time.Second)
	assert.Greater(tb, len(slices.Compact(slices.Clone(retries))), len(retries)*9/10, "distinct")
}

// TestCloseTellsEachStreamWhenToComeBack, at random within the window.
func TestCloseTellsEachStreamWhenToComeBack(t *testing.T) {
	t.Parallel()
	onEachServer(t, settings{config: draining()}, func(t *testing.T, w world) {
		t.Helper()
		var streams []*ssestreamtest.Stream
		for i := range 60 {
			streams = append(streams, w.connect(t, "key="+strconv.Itoa(i%7)))
			nextScore(t, streams[i])
		}
		require.NoError(t, w.router.Close())
		assert.Zero(t, w.router.Stats().Clients)
		assert.Zero(t, w.router.Stats().Rooms)
		var retries []time.Duration
		for _, stream := range streams {
			_, err := stream.Next(t.Context())
			require.ErrorIs(t, err, io.EOF, "it ends in good order")
			retries = append(retries, stream.Retry())
		}
		assertSpread(t, retries)

		retries = nil
		for range 60 {
			retries = append(retries, w.turnedAway(t, "key=a"))
		}
		assertSpread(t, retries)
		assert.Zero(t, w.router.Stats().Refused, "no limit was met")
		assertProblem(t, http.StatusServiceUnavailable, "", w.do(t, http.MethodGet, "key=a"))
		require.NoError(t, w.router.Close(), "again")
	})
}

// TestCloseOfPlainStreams tells them when to reconnect as well.
func TestCloseOfPlainStreams(t *testing.T) {
	t.Parallel()
	config := draining()
	config.UpstreamSubscriber = newSource()
	router := newRouter(t, config)
	site := serve(t, router.AddHandler(topic, funcAdapter{initial: always("hello"), next: payload}))
	run(t, router)
	streams := make([]*ssestreamtest.Stream, 60)
	for i := range streams {
		streams[i] = site.connect(t, "")
		next(t, streams[i])
	}
	require.NoError(t, router.Close())
	var retries []time.Duration
	for _, stream := range streams {
		_, err := stream.Next(t.Context())
		require.ErrorIs(t, err, io.EOF)
		retries = append(retries, stream.Retry())
	}
	assertSpread(t, retries)
	site.turnedAway(t, "")
	assertProblem(t, http.StatusServiceUnavailable, "", site.do(t, http.MethodGet, ""))
}

// lastRetry returns the last reconnection time in a response.
func lastRetry(tb testing.TB, sent []byte) time.Duration {
	tb.Helper()
	all := regexp.MustCompile(`retry: (\d+)\n\n`).FindAllSubmatch(sent, -1)
	require.NotEmpty(tb, all, "%q", sent)
	ms, err := strconv.Atoi(string(all[len(all)-1][1]))
	require.NoError(tb, err)

	return time.Duration(ms) * time.Millisecond
}

// readResponse reads to the end of a response, which is that of the connection or of the chunks.
func readResponse(tb testing.TB, conn net.Conn) []byte {
	tb.Helper()
	var sent []byte
	buf := make([]byte, 4096)
	for !bytes.HasSuffix(sent, []byte("\r\n0\r\n\r\n")) {
		n, err := conn.Read(buf)
		sent = append(sent, buf[:n]...)
		if errors.Is(err, io.EOF) {
			break
		}
		require.NoError(tb, err)
	}

	return sent
}

// TestCloseWaitsForTheFrameOfASlowClient, which is then told when to reconnect. Other streams have ended meanwhile, and
// new ones are turned away.
func TestCloseWaitsForTheFrameOfASlowClient(t *testing.T) {
	t.Parallel()
	config := draining()
	config.DrainWindow = 1_000_000 * time.Second
	inBubbles(t, settings{config: config}, func(b bubble) {
		conn := b.connectAndStall()
		fast := b.connect("key=b")
		nextScore(b, fast)
		b.board.set("a", 1)
		b.source.announce(b, "a")
		synctest.Wait()
		begin, closed := time.Now(), make(chan error, 1)
		go func() { closed <- b.router.Close() }()
		ended(b, fast)
		assert.Zero(b, time.Since(begin))

		assert.Greater(b, b.turnedAway(b, "key=a"), 3*time.Second)
		assert.Equal(b, http.StatusServiceUnavailable, b.do(b, http.MethodGet, "key=a").status)
		assert.Zero(b, time.Since(begin))
		settle(3 * time.Second)
		assert.Empty(b, closed, "it waits")

		sent := readResponse(b, conn)
		assert.Contains(b, string(sent), "data: {\"Key\":\"a\",\"N\":1}\n\n", "the frame is whole")
		assert.Greater(b, lastRetry(b, sent), 3*time.Second)
		require.NoError(b, <-closed)
		assert.Equal(b, 3*time.Second, time.Since(begin))
		assert.Zero(b, b.router.Stats().Dropped)
	})
}

// TestStalledClientsDoNotHoldCloseUp for longer than one WriteTimeout: neither a client that does not read its frame, nor
// one that reads it just in time and nothing more.
func TestStalledClientsDoNotHoldCloseUp(t *testing.T) {
	t.Parallel()
	inBubbles(t, settings{config: ssestream.RouterConfig{WriteTimeout: 5 * time.Second}}, func(b bubble) {
		b.connectAndStall()
		b.connectAndStall()
		late := b.connectAndStall()
		b.board.set("a", 1)
		b.source.announce(b, "a")
		synctest.Wait()
		begin, closed := time.Now(), make(chan error, 1)
		go func() { closed <- b.router.Close() }()
		settle(4 * time.Second)
		var sent []byte
		for one := make([]byte, 1); !bytes.HasSuffix(sent, []byte("\"N\":1}\n\n")); sent = append(sent, one...) {
			_, err := late.Read(one)
			require.NoError(b, err)
		}
		_, err := io.ReadFull(late, make([]byte, 2)) // the end of the chunk, where there are chunks
		require.NoError(b, err)
		require.NoError(b, <-closed)
		assert.LessOrEqual(b, time.Since(begin), 5*time.Second)
		assert.EqualValues(b, 3, b.router.Stats().Dropped)
	})
}

// TestIdleStalledClientsDoNotHoldCloseUp after they have stopped reading with nothing due.
func TestIdleStalledClientsDoNotHoldCloseUp(t *testing.T) {
	t.Parallel()
	inBubbles(t, settings{config: ssestream.RouterConfig{WriteTimeout: 5 * time.Second}}, func(b bubble) {
		for range 3 {
			b.connectAndStall()
		}
		begin := time.Now()
		require.NoError(b, b.router.Close())
		assert.LessOrEqual(b, time.Since(begin), 5*time.Second)
	})
}

// TestCloseWithStalledClientsOnEachServer has frames that no buffer in between can hold.
func TestCloseWithStalledClientsOnEachServer(t *testing.T) {
	t.Parallel()
	config := draining()
	config.MaxFrameBytes, config.WriteTimeout, config.CloseTimeout = 32<<20, 200*time.Millisecond, time.Minute
	onEachServer(t, settings{config: config}, func(t *testing.T, w world) {
		t.Helper()
		live := w.connect(t, "key=b")
		nextScore(t, live)
		w.board.setText("a", bulk(16<<20))
		stalled := w.readUntil(t, "key=a", "xxx")
		require.NoError(t, w.router.Close())
		_, err := live.Next(t.Context())
		require.ErrorIs(t, err, io.EOF)
		assert.LessOrEqual(t, live.Retry(), 1001*time.Second)
		assert.Zero(t, w.router.Stats().Clients)
		rest, _ := io.Copy(io.Discard, stalled)
		assert.Less(t, rest, int64(16<<20), "it is cut in the middle of the frame")
	})
}

// readUntil asks for a stream, reads until it has seen that text, and then reads no more.
func (s site) readUntil(tb testing.TB, query, text string) io.Reader {
	tb.Helper()
	r, err := http.NewRequestWithContext(tb.Context(), http.MethodGet, s.url+"/?"+query, http.NoBody)
	require.NoError(tb, err)
	r.Header.Set("Accept", "text/event-stream")
	response, err := s.client.Do(r)
	require.NoError(tb, err)
	tb.Cleanup(func() { _ = response.Body.Close() })
	var seen []byte
	for buf := make([]byte, 64); !bytes.Contains(seen, []byte(text)); {
		n, err := response.Body.Read(buf)
		require.NoError(tb, err)
		seen = append(seen, buf[:n]...)
	}

	return response.Body
}

// TestCloseEndsStreamsThatBeganBeforeRun, as those of a handler without topics.
func TestCloseEndsStreamsThatBeganBeforeRun(t *testing.T) {
	t.Parallel()
	router := newRouter(t, ssestream.RouterConfig{UpstreamSubscriber: newSource()})
	site := serve(t, router.AddTopicsHandler(nil, newBoard().adapter(t)))
	stream := site.connect(t, "key=a")
	nextScore(t, stream)
	require.NoError(t, router.Close())
	ended(t, stream)
	require.ErrorIs(t, router.Run(t.Context()), ssestream.ErrClosed)
}

// TestShutdown closes the router while the server shuts down. Afterwards everything has ended.
func TestShutdown(t *testing.T) {
	t.Parallel()
	for name, change := range map[string]func(h http.Handler, server *httptest.Server) http.Handler{
		"taken over": func(h http.Handler, _ *httptest.Server) http.Handler { return h },
		"HTTP 2": func(h http.Handler, server *httptest.Server) http.Handler {
			server.EnableHTTP2 = true

			return h
		},
		"wrapped writer": func(h http.Handler, _ *httptest.Server) http.Handler {
			return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { h.ServeHTTP(unwrappable{w}, r) })
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			config := draining()
			config.UpstreamSubscriber = newSource()
			router := newRouter(t, config)
			server := httptest.NewUnstartedServer(nil)
			server.Config.Handler = change(router.AddHandler(topic, newBoard().adapter(t)), server)
			closed := make(chan error, 1)
			server.Config.RegisterOnShutdown(func() { closed <- router.Close() })
			start := server.Start
			if server.EnableHTTP2 {
				start = server.StartTLS
			}
			start()
			t.Cleanup(server.Close)
			ran := make(chan error, 1)
			go func() { ran <- router.Run(context.Background()) }()

			var streams []*ssestreamtest.Stream
			for range 20 {
				stream := site{url: server.URL, client: server.Client()}.connect(t, "key=a")
				nextScore(t, stream)
				streams = append(streams, stream)
			}
			ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
			defer cancel()
			require.NoError(t, server.Config.Shutdown(ctx))
			require.NoError(t, router.Close())
			require.NoError(t, <-closed)
			require.NoError(t, <-ran)
			var retries []time.Duration
			for _, stream := range streams {
				_, err := stream.Next(ctx)
				require.ErrorIs(t, err, io.EOF)
				retries = append(retries, stream.Retry())
			}
			assertSpread(t, retries)
			_, err := (&net.Dialer{}).DialContext(ctx, "tcp", server.Listener.Addr().String())
			require.Error(t, err)
			require.NotErrorIs(t, err, context.DeadlineExceeded)
		})
	}
}
