package ssestream_test

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/feedmill/feedmill/ssestream"
)

// settle lets d pass, and everything come to rest.
func settle(d time.Duration) {
	<-time.After(d)
	synctest.Wait()
}

func TestHeartbeats(t *testing.T) {
	t.Parallel()
	inBubbles(t, settings{}, func(b bubble) {
		stream := b.connect("key=a")
		nextScore(b, stream)
		settle(14 * time.Second)
		assert.Zero(b, stream.Comments())
		settle(time.Second)
		assert.Equal(b, 1, stream.Comments())
		settle(10 * time.Second)

		// A state resets the time of silence.
		b.board.set("a", 1)
		b.source.announce(b, "a")
		nextScore(b, stream)
		settle(14 * time.Second)
		assert.Equal(b, 1, stream.Comments())
		settle(31 * time.Second)
		assert.Equal(b, 4, stream.Comments())
		b.quiet(stream, time.Minute)
	})
}

func TestHeartbeatsOff(t *testing.T) {
	t.Parallel()
	inBubbles(t, settings{config: ssestream.RouterConfig{Heartbeat: ssestream.Off}}, func(b bubble) {
		stream := b.connect("key=a")
		nextScore(b, stream)
		settle(time.Hour)
		assert.Zero(b, stream.Comments())
		b.board.set("a", 1)
		b.source.announce(b, "a")
		assert.Equal(b, 1, nextScore(b, stream).N)
	})
}

// TestAHeartbeatFindsADeadPeer whose connection is not closed.
func TestAHeartbeatFindsADeadPeer(t *testing.T) {
	t.Parallel()
	inBubbles(t, settings{}, func(b bubble) {
		b.connectAndStall()
		assert.EqualValues(b, 1, b.router.Stats().Clients)
		settle(15*time.Second + 6*time.Second)
		assert.Zero(b, b.router.Stats().Clients)
		assert.EqualValues(b, 1, b.router.Stats().Dropped)
	})
}

// connectAndStall connects, reads the first state, and then stops reading.
func (b bubble) connectAndStall() net.Conn {
	b.Helper()
	transport, ok := b.client.Transport.(*http.Transport)
	require.True(b, ok)
	conn, err := transport.DialContext(b.Context(), "", "")
	require.NoError(b, err)
	b.Cleanup(func() { require.NoError(b, conn.Close()) })
	_, err = conn.Write([]byte("GET /?key=a HTTP/1.1\r\nHost: pipe\r\nAccept: text/event-stream\r\n\r\n"))
	require.NoError(b, err)
	_, err = conn.Read(make([]byte, 4096))
	require.NoError(b, err)
	synctest.Wait()

	return conn
}

// TestTheEndOfAStreamIsBounded if the peer does not read: net/http writes it after the handler.
func TestTheEndOfAStreamIsBounded(t *testing.T) {
	t.Parallel()
	inBubbles(t, settings{}, func(b bubble) {
		conn := b.connectAndStall()
		require.NoError(b, b.router.Close())
		settle(6 * time.Second)
		_, err := conn.Read(make([]byte, 4096))
		require.ErrorIs(b, err, io.EOF, "the connection is given up")
	})
}

// TestResync finds changes without messages.
func TestResync(t *testing.T) {
	t.Parallel()
	inBubble(t, ssestream.RouterConfig{Resync: 30 * time.Second}, func(b bubble) {
		stream := b.connect("key=a")
		nextScore(b, stream)
		loads := b.board.loaded("a")
		b.board.set("a", 1)
		start := time.Now()
		assert.Equal(b, 1, nextScore(b, stream).N)
		assert.InDelta(b, 30*time.Second, time.Since(start), float64(3*time.Second))
		b.quiet(stream, 5*time.Minute)
		assert.InDelta(b, loads+11, b.board.loaded("a"), 1)
	})
}

// TestAnInterruptedUpstream is subscribed to again, with backoff, and all rooms reload.
func TestAnInterruptedUpstream(t *testing.T) {
	t.Parallel()
	config := ssestream.RouterConfig{MinBackoff: time.Second, MaxBackoff: 4 * time.Second}
	inBubble(t, config, func(b bubble) {
		a, other := b.connect("key=a"), b.connect("key=b")
		nextScore(b, a)
		nextScore(b, other)
		require.Equal(b, 1, b.source.count())

		b.source.fail(errors.New("no route to broker"))
		b.source.interrupt()
		b.board.set("a", 1)
		b.board.set("b", 2)
		b.quiet(a, time.Minute)
		// Streams that come meanwhile are served. They reload as well when the upstream is back.
		late := b.connect("key=a")
		assert.Equal(b, 1, nextScore(b, late).N)
		assert.Equal(b, 1, nextScore(b, a).N)
		b.board.set("a", 3)

		b.source.fail(nil)
		start := time.Now()
		assert.Equal(b, 3, nextScore(b, a).N)
		assert.Equal(b, 3, nextScore(b, late).N)
		assert.Equal(b, 2, nextScore(b, other).N)
		assert.LessOrEqual(b, time.Since(start), 4*time.Second)
		assert.Equal(b, 2, b.source.count())

		b.board.set("a", 4)
		b.source.announce(b, "a")
		assert.Equal(b, 4, nextScore(b, a).N)
	})
}

func TestAStreamEndsWhenItExpires(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		source := newSource()
		builder := newBoard().builder()
		builder.Expires = func(*http.Request) time.Time { return time.Now().Add(time.Minute) }
		adapter, err := builder.Build()
		require.NoError(t, err)
		router := newRouter(t, ssestream.RouterConfig{UpstreamSubscriber: source})
		site := servePipes(t, router.AddHandler(topic, adapter))
		run(t, router)
		stream := site.connect(t, "key=a")
		nextScore(t, stream)
		start := time.Now()
		_, err = stream.Next(t.Context())
		require.Error(t, err)
		assert.Equal(t, time.Minute, time.Since(start))
	})
}

// TestAStreamExpiresWhileThereIsAlwaysMore to write.
func TestAStreamExpiresWhileThereIsAlwaysMore(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		board, source := newBoard(), newSource()
		builder := board.builder()
		builder.Expires = func(*http.Request) time.Time { return time.Now().Add(time.Second) }
		adapter, err := builder.Build()
		require.NoError(t, err)
		router := newRouter(t, ssestream.RouterConfig{UpstreamSubscriber: source})
		h := router.AddHandler(topic, adapter)
		n := 0
		site := servePipes(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			h(recording{unwrappable{w}, func(string) {
				n++
				board.set("a", n)
				source.announce(t, "a")
				pause(time.Millisecond) // and it is loaded before the write is done
			}}, r)
		}))
		run(t, router)
		stream := site.connect(t, "key=a")
		start := time.Now()
		for err = nil; err == nil; {
			_, err = stream.Next(t.Context())
			require.Less(t, time.Since(start), 2*time.Second)
		}
		assert.InDelta(t, time.Second, time.Since(start), float64(10*time.Millisecond))
	})
}

// TestAStreamBeforeRun is sent its state, and what has changed since when Run has subscribed.
func TestAStreamBeforeRun(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		board, source := newBoard(), newSource()
		router := newRouter(t, ssestream.RouterConfig{UpstreamSubscriber: source})
		b := bubble{T: t, site: servePipes(t, router.AddHandler(topic, board.adapter(t)))}
		several := servePipes(t, streamsOf(t, router, board))
		one, two := b.connect("key=a"), several.connect(t, "stream=score:a")
		nextScore(t, one)
		next(t, two)
		board.set("a", 1)
		b.quiet(one, time.Minute)
		run(t, router)
		assert.Equal(t, 1, nextScore(t, one).N)
		assert.Contains(t, next(t, two).Data, `"N":1`)
	})
}

// TestAStreamWithoutItsBroker is sent its state, and what has changed since when the broker is there.
func TestAStreamWithoutItsBroker(t *testing.T) {
	t.Parallel()
	inBubble(t, ssestream.RouterConfig{}, func(b bubble) {
		b.source.fail(errors.New("no route to broker"))
		site := servePipes(b, b.router.AddHandler("another topic", b.board.adapter(b.T)))
		stream := site.connect(b, "key=a")
		nextScore(b, stream)
		b.board.set("a", 1)
		b.quiet(stream, time.Minute)
		b.source.fail(nil)
		assert.Equal(b, 1, nextScore(b, stream).N)
	})
}

// TestAStreamOfAnotherAdapterBeforeRun is told within a heartbeat to come back, for it would miss messages.
func TestAStreamOfAnotherAdapterBeforeRun(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		router := newRouter(t, ssestream.RouterConfig{UpstreamSubscriber: newSource()})
		asked := false
		b := bubble{T: t, site: servePipes(t, router.AddHandler(topic, funcAdapter{
			initial: func(http.ResponseWriter, *http.Request) (any, bool) {
				asked = true

				return "hello", true
			},
			next: payload,
		}))}
		start := time.Now()
		b.turnedAway(t, "")
		assert.Equal(t, 15*time.Second, time.Since(start))
		assert.False(t, asked)
		streams := b.connectLater("")
		settle(time.Second)
		run(t, router)
		assert.Equal(t, `"hello"`, next(t, <-streams).Data)
	})
}

// TestRetriesDiffer, so that clients do not reconnect together.
func TestRetriesDiffer(t *testing.T) {
	t.Parallel()
	inBubble(t, ssestream.RouterConfig{Retry: 10 * time.Second}, func(b bubble) {
		retries := map[time.Duration]bool{}
		for range 10 {
			stream := b.connect("key=a")
			nextScore(b, stream)
			retries[stream.Retry()] = true
			assert.InDelta(b, 10*time.Second, stream.Retry(), float64(5*time.Second))
		}
		assert.Greater(b, len(retries), 5)
	})
}

// TestClose ends streams without stopping EventSources, and refuses plain requests.
func TestClose(t *testing.T) {
	t.Parallel()
	inBubbles(t, settings{}, func(b bubble) {
		stream := b.connect("key=a")
		nextScore(b, stream)
		gate := make(chan struct{})
		b.board.before(func(ctx context.Context, _ string) error {
			close(gate)
			<-ctx.Done()

			return ctx.Err()
		})
		b.source.announce(b, "a")
		<-gate
		require.NoError(b, b.router.Close())
		ended(b, stream)
		assert.Zero(b, b.router.Stats().Clients)
		assert.Zero(b, b.router.Stats().Rooms)
		assert.False(b, b.source.closed, "the subscriber is the user's")

		late := b.connect("key=a")
		ended(b, late)
		assert.Positive(b, late.Retry())
		assert.Equal(b, http.StatusServiceUnavailable, b.do(b, http.MethodGet, "key=a").status)
		require.NoError(b, b.router.Close())
		require.ErrorIs(b, b.router.Run(b.Context()), ssestream.ErrClosed)
	})
}

// TestCloseEndsTheLoadOfAPlainRequest, which is answered like later ones.
func TestCloseEndsTheLoadOfAPlainRequest(t *testing.T) {
	t.Parallel()
	handled := make(chan error, 1)
	config := ssestream.RouterConfig{ErrorHandler: func(w http.ResponseWriter, r *http.Request, err error) {
		ssestream.DefaultErrorHandler(w, r, err)
		handled <- err
	}}
	inBubble(t, config, func(b bubble) {
		loading := make(chan struct{})
		b.board.before(func(ctx context.Context, _ string) error {
			close(loading)
			<-ctx.Done()

			return ctx.Err()
		})
		closed := make(chan error, 1)
		go func() {
			<-loading
			closed <- b.router.Close()
		}()

		start := time.Now()
		assertProblem(b.T, http.StatusServiceUnavailable, "", b.do(b, http.MethodGet, "key=a"))
		require.NoError(b, <-closed)
		assert.Zero(b, time.Since(start), "nothing waits for LoadTimeout")
		require.ErrorIs(b, <-handled, ssestream.ErrClosed)
	})
}

// TestCloseWithAStalledClient takes at most one WriteTimeout.
func TestCloseWithAStalledClient(t *testing.T) {
	t.Parallel()
	inBubbles(t, settings{}, func(b bubble) {
		b.board.setText("a", string(make([]byte, 64<<10)))
		for range 3 {
			b.connectAndStall()
		}
		settle(time.Second)
		start := time.Now()
		require.NoError(b, b.router.Close())
		assert.InDelta(b, 4*time.Second, time.Since(start), float64(time.Second))
	})
}
