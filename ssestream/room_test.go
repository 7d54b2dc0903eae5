package ssestream_test

import (
	"context"
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/feedmill/feedmill/ssestream"
	"github.com/feedmill/feedmill/ssestream/ssestreamtest"
)

func TestOneLoadForAChangeAndKey(t *testing.T) {
	t.Parallel()
	inBubble(t, ssestream.RouterConfig{}, func(b bubble) {
		var streams []*ssestreamtest.Stream
		for range 50 {
			streams = append(streams, b.connect("key=a"))
		}
		other := b.connect("key=b")
		for _, stream := range append(streams, other) {
			assert.Equal(b, 0, nextScore(b, stream).N)
		}
		before, beforeOther := b.board.loaded("a"), b.board.loaded("b")

		for n := 1; n <= 3; n++ {
			b.board.set("a", n)
			b.source.announce(b, "a", "nobody follows this")
			for _, stream := range streams {
				assert.Equal(b, score{Key: "a", N: n}, nextScore(b, stream))
			}
			assert.Equal(b, before+n, b.board.loaded("a"))
		}
		assert.Equal(b, beforeOther, b.board.loaded("b"))
		assert.Zero(b, b.board.loaded("nobody follows this"))
		synctest.Wait()
		stats := b.router.Stats()
		assert.EqualValues(b, 51, stats.Clients)
		assert.EqualValues(b, 2, stats.Rooms)
		assert.EqualValues(b, 50*4+1, stats.Frames)
		assert.EqualValues(b, b.board.loaded("a")+b.board.loaded("b"), stats.Loads)
		assert.Zero(b, stats.Skipped+stats.LoadErrors+stats.Dropped)
	})
}

// TestClientsThatJoinDuringALoadShareTheNext is the crowd that reconnects at once.
func TestClientsThatJoinDuringALoadShareTheNext(t *testing.T) {
	t.Parallel()
	inBubble(t, ssestream.RouterConfig{}, func(b bubble) {
		gate := make(chan struct{})
		b.board.before(func(context.Context, string) error { <-gate; return nil })
		var streams []<-chan *ssestreamtest.Stream
		for range 100 {
			streams = append(streams, b.connectLater("key=a"))
			synctest.Wait()
		}
		assert.Equal(b, 1, b.board.loaded("a"))
		close(gate)
		for _, stream := range streams {
			nextScore(b, <-stream)
		}
		assert.Equal(b, 2, b.board.loaded("a"))
	})
}

func TestEventsDuringALoadCauseExactlyOneMore(t *testing.T) {
	t.Parallel()
	inBubble(t, ssestream.RouterConfig{}, func(b bubble) {
		stream := b.connect("key=a")
		nextScore(b, stream)
		gate := make(chan struct{})
		b.board.before(func(context.Context, string) error { <-gate; return nil })
		b.board.set("a", 1)
		b.source.announce(b, "a")
		synctest.Wait()
		require.Equal(b, 2, b.board.loaded("a"))
		for range 100 {
			b.source.announce(b, "a")
		}
		synctest.Wait()
		assert.Equal(b, 2, b.board.loaded("a"), "only one load at a time")
		close(gate)
		assert.Equal(b, 1, nextScore(b, stream).N)
		b.quiet(stream, time.Minute)
		assert.Equal(b, 3, b.board.loaded("a"))
	})
}

// TestAJoinerSeesTheStateAsOfItsConnect joins a room whose state is older than the store's, because the message has not
// come yet.
func TestAJoinerSeesTheStateAsOfItsConnect(t *testing.T) {
	t.Parallel()
	inBubble(t, ssestream.RouterConfig{}, func(b bubble) {
		first := b.connect("key=a")
		assert.Equal(b, 0, nextScore(b, first).N)
		b.board.set("a", 1)
		assert.Equal(b, 1, nextScore(b, b.connect("key=a")).N)
		assert.Equal(b, 1, nextScore(b, first).N, "the others profit")
	})
}

// TestAJoinerDoesNotTakeALoadThatStartedBefore: the load reads before the connect and ends after it.
func TestAJoinerDoesNotTakeALoadThatStartedBefore(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		board, source := newBoard(), newSource()
		gate := make(chan struct{})
		builder := board.builder()
		builder.Load = func(ctx context.Context, key string) (score, error) {
			s, err := board.load(ctx, key)
			if board.loaded(key) == 1 {
				<-gate
			}

			return s, err
		}
		adapter, err := builder.Build()
		require.NoError(t, err)
		router := newRouter(t, ssestream.RouterConfig{UpstreamSubscriber: source})
		b := bubble{T: t, board: board, site: servePipes(t, router.AddHandler(topic, adapter))}
		run(t, router)

		early := b.connectLater("key=a")
		synctest.Wait()
		board.set("a", 1)
		late := b.connectLater("key=a")
		synctest.Wait()
		close(gate)
		assert.Equal(t, 1, nextScore(t, <-late).N)
		stream := <-early
		for nextScore(t, stream).N != 1 {
		}
	})
}

func TestUnchangedStateIsNotSentAgain(t *testing.T) {
	t.Parallel()
	inBubble(t, ssestream.RouterConfig{}, func(b bubble) {
		stream := b.connect("key=a")
		nextScore(b, stream)
		b.source.announce(b, "a")
		b.quiet(stream, time.Minute)
		assert.Equal(b, 2, b.board.loaded("a"))
		b.board.set("a", 1)
		b.source.announce(b, "a")
		assert.Equal(b, 1, nextScore(b, stream).N)
	})
}

func TestAllKeysAndMessagesThatCannotBeDecodedReloadAll(t *testing.T) {
	t.Parallel()
	for name, payload := range map[string]string{
		"all keys":     `{"Keys":["x","\u0000all keys"]}`,
		"undecodable":  `{"Keys":`,
		"decode panic": `{"Keys":["panic"]}`,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				board, source := newBoard(), newSource()
				builder := board.builder()
				builder.EventKeys = func(e changed) []string {
					if e.Keys[0] == "panic" {
						panic("no such luck")
					}

					return e.Keys
				}
				adapter, err := builder.Build()
				require.NoError(t, err)
				router := newRouter(t, ssestream.RouterConfig{UpstreamSubscriber: source})
				site := servePipes(t, router.AddHandler(topic, adapter))
				run(t, router)
				a, b := site.connect(t, "key=a"), site.connect(t, "key=b")
				nextScore(t, a)
				nextScore(t, b)
				board.set("a", 1)
				board.set("b", 2)
				source.send(t, topic, []byte(payload))
				assert.Equal(t, 1, nextScore(t, a).N)
				assert.Equal(t, 2, nextScore(t, b).N)
			})
		})
	}
}

// TestASlowClientSkipsToTheLastState has a client that does not read, on a connection without a buffer.
func TestASlowClientSkipsToTheLastState(t *testing.T) {
	t.Parallel()
	inBubble(t, ssestream.RouterConfig{WriteTimeout: time.Hour}, func(b bubble) {
		b.board.setText("a", bulk(64<<10))
		slow, fast := b.connect("key=a"), b.connect("key=a")
		assert.Equal(b, 0, nextScore(b, fast).N)
		for n := 1; n <= 20; n++ {
			b.board.set("a", n)
			b.source.announce(b, "a")
			assert.Equal(b, n, nextScore(b, fast).N, "a slow client slows nobody")
		}
		seen := []int{nextScore(b, slow).N}
		for seen[len(seen)-1] != 20 {
			seen = append(seen, nextScore(b, slow).N)
		}
		assert.IsIncreasing(b, seen)
		assert.LessOrEqual(b, len(seen), 3)
		synctest.Wait()
		assert.EqualValues(b, 21-len(seen), b.router.Stats().Skipped)
	})
}

func TestAStalledClientIsDropped(t *testing.T) {
	t.Parallel()
	inBubble(t, ssestream.RouterConfig{WriteTimeout: time.Second}, func(b bubble) {
		b.board.setText("a", bulk(64<<10))
		b.connectAndStall()
		assert.EqualValues(b, 1, b.router.Stats().Clients)
		<-time.After(1100 * time.Millisecond)
		synctest.Wait()
		assert.Equal(b, ssestream.Stats{Loads: 1, Dropped: 1}, b.router.Stats())
	})
}

func TestRoomsEndWithTheirLastClient(t *testing.T) {
	t.Parallel()
	inBubble(t, ssestream.RouterConfig{}, func(b bubble) {
		one, two := b.connect("key=a"), b.connect("key=a")
		nextScore(b, one)
		nextScore(b, two)
		loads := b.board.loaded("a")
		require.NoError(b, one.Close())
		synctest.Wait()
		assert.EqualValues(b, 1, b.router.Stats().Rooms)
		require.NoError(b, two.Close())
		synctest.Wait()
		assert.Zero(b, b.router.Stats().Rooms)
		assert.Zero(b, b.router.Stats().Clients)
		b.source.announce(b, "a")
		synctest.Wait()
		assert.Equal(b, loads, b.board.loaded("a"))
	})
}

// TestALoadEndsWithItsRoom when the only client leaves.
func TestALoadEndsWithItsRoom(t *testing.T) {
	t.Parallel()
	inBubble(t, ssestream.RouterConfig{LoadTimeout: time.Hour, Heartbeat: time.Second}, func(b bubble) {
		canceled := make(chan error, 1)
		b.board.before(func(ctx context.Context, _ string) error {
			<-ctx.Done()
			canceled <- ctx.Err()

			return ctx.Err()
		})
		stream := b.connect("key=a") // It opens without a state.
		require.NoError(b, stream.Close())
		require.ErrorIs(b, <-canceled, context.Canceled)
	})
}

func TestConcurrentLoadsAreBounded(t *testing.T) {
	t.Parallel()
	inBubble(t, ssestream.RouterConfig{ConcurrentLoads: 2, LoadTimeout: time.Hour, Heartbeat: time.Second}, func(b bubble) {
		gate := make(chan struct{})
		b.board.before(func(context.Context, string) error { <-gate; return nil })
		for _, key := range []string{"a", "b", "c", "d"} {
			b.connect("key=" + key)
		}
		assert.EqualValues(b, 2, b.router.Stats().Loads)
		close(gate)
		synctest.Wait()
		assert.EqualValues(b, 4, b.router.Stats().Loads)
	})
}

func TestAPanicInLoadIsALoadError(t *testing.T) {
	t.Parallel()
	inBubble(t, ssestream.RouterConfig{}, func(b bubble) {
		b.board.before(func(context.Context, string) error { panic("store is broken") })
		stream := b.connect("key=a")
		assert.Positive(b, b.router.Stats().LoadErrors)
		b.board.before(nil)
		nextScore(b, stream)
		assert.Equal(b, http.StatusOK, b.do(b, http.MethodGet, "key=a").status)
	})
}
