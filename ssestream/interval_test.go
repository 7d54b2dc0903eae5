package ssestream_test

import (
	"context"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/feedmill/feedmill/ssestream"
	"github.com/feedmill/feedmill/ssestream/ssestreamtest"
)

// starts notes when loads start.
type starts struct {
	mu    sync.Mutex
	times []time.Time
}

func (s *starts) note(context.Context, string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.times = append(s.times, time.Now())

	return nil
}

func (s *starts) all() []time.Time {
	s.mu.Lock()
	defer s.mu.Unlock()

	return s.times
}

// follow reads the stream to its end. The returned function returns the last state so far.
func follow(b bubble, streams <-chan *ssestreamtest.Stream) (last func() int) {
	b.Helper()
	var mu sync.Mutex
	n := -1
	go func() {
		stream := <-streams
		for {
			event, err := stream.Next(context.Background())
			if err != nil {
				return
			}
			mu.Lock()
			n = scoreOf(b, event).N //nolint:testifylint // it ends with the test either way
			mu.Unlock()
		}
	}()

	return func() int {
		mu.Lock()
		defer mu.Unlock()

		return n
	}
}

// TestLoadsKeepTheirInterval while states change and clients join. The last change is loaded.
func TestLoadsKeepTheirInterval(t *testing.T) {
	t.Parallel()
	const interval = 10 * time.Second
	inBubbles(t, settings{config: ssestream.RouterConfig{MinLoadInterval: interval}}, func(b bubble) {
		var loads starts
		b.board.before(loads.note)
		begin := time.Now()
		lasts := []func() int{follow(b, b.connectLater("key=a"))}
		synctest.Wait()
		assert.Zero(b, lasts[0](), "a lone client does not wait")
		assert.Zero(b, time.Since(begin))
		for n := 1; n <= 123; n++ {
			<-time.After(500 * time.Millisecond)
			b.board.set("a", n)
			b.source.announce(b, "a")
			if n%20 == 0 {
				lasts = append(lasts, follow(b, b.connectLater("key=a")))
			}
		}
		settle(interval)
		times := loads.all()
		for i := range times[1:] {
			assert.GreaterOrEqual(b, times[i+1].Sub(times[i]), interval)
		}
		assert.Len(b, times, 1+6+1, "as often as the interval allows, and once for the last change")
		for _, last := range lasts {
			assert.Equal(b, 123, last())
		}

		// A room that did not load for longer loads at once.
		settle(interval)
		b.board.set("a", 124)
		b.source.announce(b, "a")
		synctest.Wait()
		assert.Equal(b, 124, lasts[0]())
		begin = time.Now()
		nextScore(b, b.connect("key=another"))
		assert.Zero(b, time.Since(begin), "each room has an interval of its own")
	})
}

// TestAJoinerWaitsOutTheInterval, but for its header only as long as for a slow load.
func TestAJoinerWaitsOutTheInterval(t *testing.T) {
	t.Parallel()
	inBubbles(t, settings{config: ssestream.RouterConfig{MinLoadInterval: time.Minute}}, func(b bubble) {
		nextScore(b, b.connect("key=a"))
		b.board.set("a", 1) // and nothing is announced
		begin := time.Now()
		second := b.connect("key=a")
		assert.Equal(b, 15*time.Second, time.Since(begin))
		assert.Equal(b, 1, nextScore(b, second).N)
		assert.Equal(b, time.Minute, time.Since(begin))
	})
}

// TestAFailedLoadHasItsBackoff instead of the interval.
func TestAFailedLoadHasItsBackoff(t *testing.T) {
	t.Parallel()
	config := ssestream.RouterConfig{
		MinLoadInterval: 10 * time.Minute, MinBackoff: time.Second, MaxBackoff: 4 * time.Second,
	}
	inBubbles(t, settings{config: config}, func(b bubble) {
		b.board.before(failing(errStore))
		stream := b.connect("key=a")
		settle(time.Minute)
		assert.GreaterOrEqual(b, b.board.loaded("a"), 60/4)
		assert.LessOrEqual(b, b.board.loaded("a"), 60/2+3)
		b.board.before(nil)
		begin := time.Now()
		nextScore(b, stream)
		assert.LessOrEqual(b, time.Since(begin), 4*time.Second)

		// The interval starts with the load that succeeded.
		loads := b.board.loaded("a")
		b.board.set("a", 1)
		b.source.announce(b, "a")
		settle(9*time.Minute + 30*time.Second)
		assert.Equal(b, loads, b.board.loaded("a"))
		assert.Equal(b, 1, nextScore(b, stream).N)
	})
}

// TestARoomThatEndsWhileItPauses leaves nothing behind that Close or the next room of the key would wait for.
func TestARoomThatEndsWhileItPauses(t *testing.T) {
	t.Parallel()
	inBubbles(t, settings{config: ssestream.RouterConfig{MinLoadInterval: time.Hour}}, func(b bubble) {
		stream := b.connect("key=a")
		nextScore(b, stream)
		b.board.set("a", 1)
		b.source.announce(b, "a")
		synctest.Wait()
		begin := time.Now()
		require.NoError(b, stream.Close())
		synctest.Wait()
		assert.Zero(b, b.router.Stats().Rooms)
		assert.Equal(b, 1, b.board.loaded("a"))

		second := b.connect("key=a")
		assert.Equal(b, 1, nextScore(b, second).N)
		b.source.announce(b, "a")
		synctest.Wait()
		require.NoError(b, b.router.Close())
		assert.Zero(b, time.Since(begin), "nobody waits for the hour")
		assert.Equal(b, 2, b.board.loaded("a"))
	})
}
