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

// TestACrowdCostsAHandfulOfLoads although each of it joins after the load before has ended.
func TestACrowdCostsAHandfulOfLoads(t *testing.T) {
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
		assert.LessOrEqual(b, b.board.loaded("a"), 8+6+2)
		assert.LessOrEqual(b, time.Since(start), crowd*time.Millisecond+250*time.Millisecond)

		// The crowd is over: who comes alone is served at once.
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
			settle(25 * time.Millisecond)
		}
		assert.Equal(b, 30, b.board.loaded("a"))
	})
}

// TestAnEventIsNotGathered while a crowd is, and brings the crowd its state too.
func TestAnEventIsNotGathered(t *testing.T) {
	t.Parallel()
	inBubble(t, ssestream.RouterConfig{}, func(b bubble) {
		var streams []*ssestreamtest.Stream
		for range 13 {
			streams = append(streams, b.connect("key=a"))
			nextScore(b, streams[len(streams)-1])
		}
		start := time.Now()
		b.board.set("a", 1)
		b.source.announce(b, "a")
		for _, stream := range streams {
			assert.Equal(b, 1, nextScore(b, stream).N)
		}
		assert.Zero(b, time.Since(start), "nobody waits for more to join")

		waiting := b.connectLater("key=a")
		synctest.Wait()
		loads := b.board.loaded("a")
		start = time.Now()
		b.board.set("a", 2)
		b.source.announce(b, "a")
		for _, stream := range append(streams, <-waiting) {
			assert.Equal(b, 2, nextScore(b, stream).N)
		}
		assert.Zero(b, time.Since(start))
		assert.Equal(b, loads+1, b.board.loaded("a"))
	})
}

// TestARoomThatGathersEndsWithItsLastClient.
func TestARoomThatGathersEndsWithItsLastClient(t *testing.T) {
	t.Parallel()
	inBubble(t, ssestream.RouterConfig{}, func(b bubble) {
		var streams []*ssestreamtest.Stream
		for range 13 {
			streams = append(streams, b.connect("key=a"))
			nextScore(b, streams[len(streams)-1])
		}
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
