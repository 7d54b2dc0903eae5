package ssestream_test

import (
	"context"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/feedmill/feedmill/ssestream"
	"github.com/feedmill/feedmill/ssestream/ssestreamtest"
)

// takes lets d pass, or returns why ctx ended before.
func takes(ctx context.Context, d time.Duration) error {
	select {
	case <-time.After(d):
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// badKeys has the loads of keys that begin with "bad" behave as bad does, or hang if it is nil, and all others take 10ms.
// It returns the most loads that were under way at once since the last call, without those whose context has ended.
func (b bubble) badKeys(bad func(ctx context.Context) error) (most func() int) {
	gate := make(chan struct{})
	b.Cleanup(func() { close(gate) })
	var mu sync.Mutex
	running, peak := map[context.Context]struct{}{}, 0
	b.board.before(func(ctx context.Context, key string) error {
		mu.Lock()
		running[ctx] = struct{}{}
		now := 0
		for ctx := range running {
			if ctx.Err() == nil {
				now++
			}
		}
		peak = max(peak, now)
		mu.Unlock()
		defer func() {
			mu.Lock()
			defer mu.Unlock()
			delete(running, ctx)
		}()
		switch {
		case !strings.HasPrefix(key, "bad"):
			return takes(ctx, 10*time.Millisecond)
		case bad == nil:
			<-gate // whatever the context says

			return nil
		default:
			return bad(ctx)
		}
	})

	return func() int {
		mu.Lock()
		defer mu.Unlock()
		since := peak
		peak = 0

		return since
	}
}

// badLoads are how the loads of bad keys go wrong, for badKeys.
func badLoads() map[string]func(ctx context.Context) error {
	return map[string]func(ctx context.Context) error{
		"failing":            func(context.Context) error { return errStore },
		"failing after 50ms": func(ctx context.Context) error { _ = takes(ctx, 50*time.Millisecond); return errStore },
		"slow":               func(ctx context.Context) error { return takes(ctx, 3*time.Second) },
		"timing out":         func(ctx context.Context) error { return takes(ctx, time.Hour) },
		"hung":               nil,
	}
}

// discard reads the stream to its end.
func discard(b bubble, streams <-chan *ssestreamtest.Stream) {
	b.Helper()
	go func() {
		stream := <-streams
		for {
			if _, err := stream.Next(context.Background()); err != nil {
				return
			}
		}
	}()
}

// delays are how long healthy keys take to be served.
type delays struct{ first, update, reload time.Duration }

// TestNeighboursAreNotDelayed: the first state of a healthy key, its update and the reload of all healthy keys take no
// more than 1.5 times as long beside 200 bad ones as without them.
func TestNeighboursAreNotDelayed(t *testing.T) {
	t.Parallel()
	measure := func(t *testing.T, neighbours int, bad func(ctx context.Context) error) (d delays) {
		t.Helper()
		inBubble(t, ssestream.RouterConfig{}, func(b bubble) {
			most := b.badKeys(bad)
			const healthy = 40
			var streams []*ssestreamtest.Stream
			for i := range healthy {
				streams = append(streams, b.connect("key="+strconv.Itoa(i)))
				nextScore(b, streams[i])
			}
			for i := range neighbours {
				discard(b, b.connectLater("key=bad"+strconv.Itoa(i)))
			}
			settle(time.Minute)
			assert.LessOrEqual(b, most(), 5*16)

			for range 20 {
				start := time.Now()
				stream := b.connect("key=new")
				nextScore(b, stream)
				d.first = max(d.first, time.Since(start))
				require.NoError(b, stream.Close())
				settle(time.Second)
			}
			for n := 1; n <= 20; n++ {
				b.board.set("0", n)
				start := time.Now()
				b.source.announce(b, "0")
				assert.Equal(b, n, nextScore(b, streams[0]).N)
				d.update = max(d.update, time.Since(start))
				settle(time.Second)
			}
			for n := 100; n < 110; n++ {
				for i := range healthy {
					b.board.set(strconv.Itoa(i), n)
				}
				start := time.Now()
				b.source.send(b, topic, []byte("{")) // about any key
				for _, stream := range streams {
					assert.Equal(b, n, nextScore(b, stream).N)
				}
				d.reload = max(d.reload, time.Since(start))
				settle(time.Second)
			}
			assert.EqualValues(b, healthy+neighbours, b.router.Stats().Rooms)
			assert.LessOrEqual(b, most(), 2*16, "all of them are known")
		})

		return d
	}
	for name, bad := range badLoads() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			alone, beside := measure(t, 0, bad), measure(t, 200, bad)
			t.Logf("alone %v, beside 200: %v", alone, beside)
			assert.LessOrEqual(t, beside.first, alone.first*3/2)
			assert.LessOrEqual(t, beside.update, alone.update*3/2)
			assert.LessOrEqual(t, beside.reload, alone.reload*3/2)
		})
	}
}

// TestACrowdOfBadKeys that come at once is found out soon. Who is followed already waits for none of it.
func TestACrowdOfBadKeys(t *testing.T) {
	t.Parallel()
	inBubble(t, ssestream.RouterConfig{}, func(b bubble) {
		b.badKeys(nil)
		known := b.connect("key=known")
		nextScore(b, known)
		for i := range 100 {
			discard(b, b.connectLater("key=bad"+strconv.Itoa(i)))
		}
		synctest.Wait()
		start := time.Now()
		fresh := b.connectLater("key=fresh")
		b.board.set("known", 1)
		b.source.announce(b, "known")
		assert.Equal(b, 1, nextScore(b, known).N)
		assert.Equal(b, 10*time.Millisecond, time.Since(start))
		nextScore(b, <-fresh)
		assert.Less(b, time.Since(start), 5*time.Second, "half of LoadTimeout")
		settle(time.Minute) // The others are connected by then.
	})
}

// TestSlowLoadsGoOn: they are not started anew because others come, as long as these find room.
func TestSlowLoadsGoOn(t *testing.T) {
	t.Parallel()
	inBubble(t, ssestream.RouterConfig{}, func(b bubble) {
		b.badKeys(func(ctx context.Context) error { return takes(ctx, 3*time.Second) })
		for i := range 50 {
			discard(b, b.connectLater("key=bad"+strconv.Itoa(i)))
		}
		settle(time.Second)
		start := time.Now()
		nextScore(b, b.connect("key=new"))
		assert.Equal(b, 10*time.Millisecond, time.Since(start))
		settle(10 * time.Second)
		for i := range 50 {
			assert.Equal(b, 1, b.board.loaded("bad"+strconv.Itoa(i)))
		}
	})
}

// TestAllKeysAreSlow: their loads take more than a quarter of LoadTimeout, and nobody is told that a state is stale.
func TestAllKeysAreSlow(t *testing.T) {
	t.Parallel()
	inBubble(t, ssestream.RouterConfig{Resync: 30 * time.Second}, func(b bubble) {
		var began, ended atomic.Int64
		b.board.before(func(ctx context.Context, _ string) error {
			began.Add(1)
			err := takes(ctx, 3*time.Second)
			if err == nil {
				ended.Add(1)
			}

			return err
		})
		for i := range 60 {
			streams := b.connectLater("key=" + strconv.Itoa(i))
			go func() {
				stream := <-streams
				event, err := stream.Next(context.Background())
				for ; err == nil; event, err = stream.Next(context.Background()) {
					assert.Equal(b, "data", event.Type)
				}
			}()
		}
		settle(5 * time.Minute)
		b.Logf("%d of %d loads ended", ended.Load(), began.Load())
		assert.Greater(b, ended.Load(), int64(60*9))
		assert.Less(b, began.Load()-ended.Load(), int64(60))
	})
}

// TestOneLateLoad does not put a healthy key among those that time out.
func TestOneLateLoad(t *testing.T) {
	t.Parallel()
	inBubble(t, ssestream.RouterConfig{}, func(b bubble) {
		b.badKeys(func(ctx context.Context) error { return takes(ctx, time.Hour) })
		stream := b.connect("key=a")
		nextScore(b, stream)
		for i := range 200 {
			discard(b, b.connectLater("key=bad"+strconv.Itoa(i)))
		}
		settle(2 * time.Minute)
		for n := 1; n <= 5; n++ {
			var once sync.Once
			b.board.before(func(ctx context.Context, key string) error {
				if key != "a" {
					return takes(ctx, time.Hour)
				}
				once.Do(func() { _ = takes(ctx, 3*time.Second) })

				return takes(ctx, 10*time.Millisecond)
			})
			b.board.set("a", n)
			start := time.Now()
			b.source.announce(b, "a")
			assert.Equal(b, n, nextScore(b, stream).N)
			assert.LessOrEqual(b, time.Since(start), 4*time.Second)
			b.source.announce(b, "a") // It is quick again.
			settle(time.Second)
		}
	})
}

// TestReconnectsToAHungKey start no second load of it, and take no slots.
func TestReconnectsToAHungKey(t *testing.T) {
	t.Parallel()
	inBubble(t, ssestream.RouterConfig{Heartbeat: time.Second}, func(b bubble) {
		gate := make(chan struct{})
		b.badKeys(func(context.Context) error { <-gate; return nil })
		for range 30 {
			require.NoError(b, b.connect("key=bad").Close())
			settle(time.Second)
		}
		assert.Equal(b, 1, b.board.loaded("bad"))
		assert.Zero(b, b.router.Stats().Rooms)
		start := time.Now()
		nextScore(b, b.connect("key=a"))
		assert.Equal(b, 10*time.Millisecond, time.Since(start))

		stream := b.connect("key=bad")
		b.board.set("bad", 7)
		close(gate)
		assert.Equal(b, 7, nextScore(b, stream).N, "a load that began before the client joined is not its")
		assert.Equal(b, 2, b.board.loaded("bad"))
		assert.EqualValues(b, 2, b.router.Stats().Rooms)
		require.NoError(b, stream.Close())
		synctest.Wait()
		assert.EqualValues(b, 1, b.router.Stats().Rooms)
	})
}

// TestAHungKeyIsForgotten when its load returns and nobody follows it.
func TestAHungKeyIsForgotten(t *testing.T) {
	t.Parallel()
	inBubble(t, ssestream.RouterConfig{Heartbeat: time.Second}, func(b bubble) {
		gate := make(chan struct{})
		b.badKeys(func(context.Context) error { <-gate; return errStore })
		require.NoError(b, b.connect("key=bad").Close())
		synctest.Wait()
		close(gate)
		synctest.Wait()
		b.board.before(nil)
		nextScore(b, b.connect("key=bad"))
		assert.Equal(b, 2, b.board.loaded("bad"))
		assert.Zero(b, b.router.Stats().LoadErrors, "nobody waited for it")
	})
}
