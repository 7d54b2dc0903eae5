package ssestream_test

import (
	"context"
	"errors"
	"strconv"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/feedmill/feedmill/ssestream"
	"github.com/feedmill/feedmill/ssestream/ssestreamtest"
)

// TestAReloadOfAllRoomsLeavesSlots to others, however many rooms there are and however slow the store is.
func TestAReloadOfAllRoomsLeavesSlots(t *testing.T) {
	t.Parallel()
	inBubble(t, ssestream.RouterConfig{ConcurrentLoads: 4, LoadTimeout: time.Hour, MinBackoff: time.Second, MaxBackoff: time.Second}, func(b bubble) {
		const rooms = 50
		var streams []*ssestreamtest.Stream
		for i := range rooms {
			streams = append(streams, b.connect("key="+strconv.Itoa(i)))
			nextScore(b, streams[i])
		}
		var loading atomic.Int64
		gate := make(chan struct{})
		b.board.before(func(context.Context, string) error {
			loading.Add(1)
			<-gate

			return nil
		})
		for i := range rooms {
			b.board.set(strconv.Itoa(i), 1)
		}
		b.source.interrupt()
		settle(2 * time.Second)
		require.EqualValues(b, 2, loading.Load(), "half of the loads that may run at once")

		newcomer := b.connectLater("key=new")
		synctest.Wait()
		assert.EqualValues(b, 3, loading.Load(), "others have the rest")
		close(gate)
		nextScore(b, <-newcomer)
		for _, stream := range streams {
			assert.Equal(b, 1, nextScore(b, stream).N, "and all of them are reloaded")
		}
		loads := b.router.Stats().Loads
		b.quiet(streams[0], time.Minute)
		assert.Equal(b, loads, b.router.Stats().Loads, "once")
	})
}

// TestRoomsThatEndDuringAReload give their slot back.
func TestRoomsThatEndDuringAReload(t *testing.T) {
	t.Parallel()
	inBubble(t, ssestream.RouterConfig{ConcurrentLoads: 1, Resync: 10 * time.Second}, func(b bubble) {
		leaving := b.connect("key=leaving")
		nextScore(b, leaving)
		b.board.before(func(ctx context.Context, key string) error {
			if key == "leaving" {
				<-ctx.Done()

				return ctx.Err()
			}

			return nil
		})
		b.source.announce(b, "leaving")
		settle(time.Second)
		require.NoError(b, leaving.Close())
		stream := b.connect("key=a")
		nextScore(b, stream)
		for n := 1; n <= 5; n++ {
			b.board.set("a", n) // and nothing announces it
			assert.Equal(b, n, nextScore(b, stream).N)
		}
	})
}

// TestRoomsThatFailDoNotDelayAReload of the others while they wait for their next try.
func TestRoomsThatFailDoNotDelayAReload(t *testing.T) {
	t.Parallel()
	inBubble(t, ssestream.RouterConfig{ConcurrentLoads: 2, MinBackoff: time.Minute, MaxBackoff: time.Minute}, func(b bubble) {
		healthy := b.connect("key=healthy")
		nextScore(b, healthy)
		var failing []string
		for i := range 20 {
			failing = append(failing, "failing"+strconv.Itoa(i))
			nextScore(b, b.connect("key="+failing[i]))
		}
		b.board.before(func(_ context.Context, key string) error {
			if key != "healthy" {
				return errors.New("no answer")
			}

			return nil
		})
		b.source.announce(b, failing...)
		synctest.Wait()
		b.board.set("healthy", 1)
		start := time.Now()
		b.source.send(b, topic, []byte("{")) // about any key
		assert.Equal(b, 1, nextScore(b, healthy).N)
		assert.Zero(b, time.Since(start))
	})
}

// TestAStateWithoutTopicsIsReloaded as often as all rooms are.
func TestAStateWithoutTopicsIsReloaded(t *testing.T) {
	t.Parallel()
	board := newBoard()
	router := newRouter(t, ssestream.RouterConfig{Resync: 10 * time.Millisecond})
	stream := serve(t, router.AddTopicsHandler(nil, board.adapter(t))).connect(t, "key=a")
	run(t, router)
	assert.Equal(t, 0, nextScore(t, stream).N)
	board.set("a", 1) // and nothing can announce it
	assert.Equal(t, 1, nextScore(t, stream).N)
}
