package ssestream_test

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/feedmill/feedmill/ssestream"
	"github.com/feedmill/feedmill/ssestream/ssestreamtest"
)

// TestACrowdSharesLoads although each of it joins after the load before has ended.
func TestACrowdSharesLoads(t *testing.T) {
	t.Parallel()
	inBubble(t, ssestream.RouterConfig{}, func(b bubble) {
		const crowd = 500
		var streams []<-chan *ssestreamtest.Stream
		start := time.Now()
		for range crowd {
			streams = append(streams, b.connectLater("key=a"))
			settle(time.Millisecond)
		}
		for _, stream := range streams {
			assert.Equal(b, 0, nextScore(b, <-stream).N)
		}
		assert.LessOrEqual(b, b.board.loaded("a"), crowd/10+2, "one load in 10 ms")
		assert.LessOrEqual(b, time.Since(start), (crowd+10)*time.Millisecond)

		// The crowd is over: a client that comes alone is served at once.
		settle(time.Second)
		start = time.Now()
		nextScore(b, b.connect("key=a"))
		assert.Zero(b, time.Since(start))
	})
}

// TestJoinsOneByOneAreServedAtOnce when there is time between them, however many there are.
func TestJoinsOneByOneAreServedAtOnce(t *testing.T) {
	t.Parallel()
	inBubble(t, ssestream.RouterConfig{}, func(b bubble) {
		for range 30 {
			start := time.Now()
			nextScore(b, b.connect("key=a"))
			assert.Zero(b, time.Since(start))
			settle(10 * time.Millisecond)
		}
		assert.Equal(b, 30, b.board.loaded("a"))
	})
}

// crowd has a few clients join one right after the other. The next one has to wait for the window's end.
func (b bubble) crowd() []*ssestreamtest.Stream {
	b.Helper()
	var streams []*ssestreamtest.Stream
	for range 3 {
		streams = append(streams, b.connect("key=a"))
		nextScore(b, streams[len(streams)-1])
	}

	return streams
}

// TestAMessageDoesNotWaitForTheWindow of a crowd.
func TestAMessageDoesNotWaitForTheWindow(t *testing.T) {
	t.Parallel()
	inBubble(t, ssestream.RouterConfig{}, func(b bubble) {
		streams := b.crowd()
		start := time.Now()
		b.board.set("a", 1)
		b.source.announce(b, "a")
		for _, stream := range streams {
			assert.Equal(b, 1, nextScore(b, stream).N)
		}
		assert.Zero(b, time.Since(start))
	})
}

// TestAMessageEndsTheWindow and brings the clients that wait their state too.
func TestAMessageEndsTheWindow(t *testing.T) {
	t.Parallel()
	inBubble(t, ssestream.RouterConfig{}, func(b bubble) {
		streams := b.crowd()
		waiting := b.connectLater("key=a")
		synctest.Wait()
		start, loads := time.Now(), b.board.loaded("a")
		b.board.set("a", 1)
		b.source.announce(b, "a")
		for _, stream := range append(streams, <-waiting) {
			assert.Equal(b, 1, nextScore(b, stream).N)
		}
		assert.Zero(b, time.Since(start))
		assert.Equal(b, loads+1, b.board.loaded("a"))
	})
}

// TestARoomEndsWithinTheWindow if its last client leaves.
func TestARoomEndsWithinTheWindow(t *testing.T) {
	t.Parallel()
	inBubble(t, ssestream.RouterConfig{}, func(b bubble) {
		streams := b.crowd()
		ctx, cancel := context.WithCancel(b.Context())
		gone := make(chan error)
		go func() {
			_, err := ssestreamtest.Connect(ctx, b.client, b.url+"/?key=a")
			gone <- err
		}()
		synctest.Wait()
		loads := b.board.loaded("a")
		cancel()
		require.Error(b, <-gone)
		for _, stream := range streams {
			require.NoError(b, stream.Close())
		}
		settle(time.Minute)
		assert.Equal(b, loads, b.board.loaded("a"))
		assert.Zero(b, b.router.Stats().Rooms)
	})
}
