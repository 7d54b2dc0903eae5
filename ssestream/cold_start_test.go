package ssestream_test

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"

	"github.com/feedmill/feedmill/ssestream"
	"github.com/feedmill/feedmill/ssestream/ssestreamtest"
)

// waits are how long healthy keys wait for their first state that come with a crowd of 200, and those that come later.
type waits struct{ first, middle, last, later time.Duration }

func (w waits) String() string {
	return fmt.Sprintf("the first %v, in the middle %v, the last %v, later %v", w.first, w.middle, w.last, w.later)
}

// probe has a new healthy key come, and returns its wait by took when all are served.
func (b bubble) probe(served *sync.WaitGroup, key string, took *time.Duration) {
	start := time.Now()
	streams := b.connectLater("key=" + key)
	served.Go(func() {
		stream := <-streams
		nextScore(b, stream)
		*took = time.Since(start)
		assert.NoError(b, stream.Close())
	})
	synctest.Wait() // They come in this order.
}

// coldStart has 200 new keys come at once, and healthy ones with them. Where known is set, one other key is known, and is
// updated meanwhile.
func coldStart(t *testing.T, known bool, crowd func(ctx context.Context) error) (w waits) {
	t.Helper()
	inBubble(t, ssestream.RouterConfig{}, func(b bubble) {
		most := b.badKeys(crowd)
		var followed *ssestreamtest.Stream
		if known {
			followed = b.connect("key=known")
			nextScore(b, followed)
		}
		var served sync.WaitGroup
		b.probe(&served, "first", &w.first)
		for i := range 200 {
			discard(b, b.connectLater("key=bad"+strconv.Itoa(i)))
			synctest.Wait()
			if i == 100 {
				b.probe(&served, "middle", &w.middle)
			}
		}
		b.probe(&served, "last", &w.last)
		var later [50]time.Duration
		for n := range later {
			b.probe(&served, "later"+strconv.Itoa(n), &later[n])
			if known {
				b.board.set("known", n+1)
				start := time.Now()
				b.source.announce(b, "known")
				assert.Equal(b, n+1, nextScore(b, followed).N)
				assert.Equal(b, 10*time.Millisecond, time.Since(start))
			}
			settle(13 * time.Millisecond)
		}
		served.Wait()
		for _, took := range later {
			w.later = max(w.later, took)
		}
		assert.LessOrEqual(b, most(), 5*16)
		settle(20 * time.Second) // All are connected by then.
	})

	return w
}

// TestColdStart: nothing is known of the keys that come. Healthy ones wait beside 200 bad ones not much longer than beside
// 200 healthy ones, wherever they come in the order. What is followed already does not wait at all.
func TestColdStart(t *testing.T) {
	t.Parallel()
	for name, bad := range badLoads() {
		for _, known := range []bool{true, false} {
			t.Run(fmt.Sprintf("%s/known=%t", name, known), func(t *testing.T) {
				t.Parallel()
				healthy := coldStart(t, known, func(ctx context.Context) error { return takes(ctx, 10*time.Millisecond) })
				beside := coldStart(t, known, bad)
				t.Logf("beside healthy ones: %v", healthy)
				t.Logf("beside bad ones: %v", beside)
				assert.LessOrEqual(t, beside.first, healthy.first*5/2)
				assert.LessOrEqual(t, beside.middle, healthy.middle*5/2)
				assert.LessOrEqual(t, beside.last, healthy.last*5/2)
				assert.LessOrEqual(t, beside.later, healthy.later*3)
			})
		}
	}
}

// TestBadKeysKeepComing: after a crowd of 200 unknown bad keys 120 more come each second. A new healthy key does not wait
// for them.
func TestBadKeysKeepComing(t *testing.T) {
	t.Parallel()
	for name, bad := range badLoads() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			inBubble(t, ssestream.RouterConfig{}, func(b bubble) {
				b.badKeys(bad)
				keys := 0
				more := func() {
					discard(b, b.connectLater("key=bad"+strconv.Itoa(keys)))
					synctest.Wait()
					keys++
				}
				for range 200 {
					more()
				}
				var served sync.WaitGroup
				var waits [30]time.Duration
				for i := range waits {
					b.probe(&served, strconv.Itoa(i), &waits[i])
					for range 12 {
						more()
						settle(time.Second / 120)
					}
				}
				served.Wait()
				crowd, after := slices.Max(waits[:10]), slices.Max(waits[10:])
				b.Logf("within %v in the first second, %v later", crowd, after)
				assert.LessOrEqual(b, crowd, 200*time.Millisecond)
				assert.LessOrEqual(b, after, 15*time.Millisecond, "1.5 times as long as alone")
				settle(20 * time.Second) // All are connected by then.
			})
		})
	}
}

// TestNoKeyStarves where more new keys come than can be loaded.
func TestNoKeyStarves(t *testing.T) {
	t.Parallel()
	inBubble(t, ssestream.RouterConfig{ConcurrentLoads: 1}, func(b bubble) {
		b.badKeys(nil)
		var served sync.WaitGroup
		var waits [200]time.Duration
		for i := range waits {
			b.probe(&served, strconv.Itoa(i), &waits[i])
			settle(5 * time.Millisecond)
		}
		served.Wait()
		assert.LessOrEqual(b, slices.Max(waits[:10]), 200*time.Millisecond)
	})
}

// TestACrowdThatLeaves while its loads run and wait leaves all slots.
func TestACrowdThatLeaves(t *testing.T) {
	t.Parallel()
	inBubble(t, ssestream.RouterConfig{}, func(b bubble) {
		b.badKeys(func(ctx context.Context) error { return takes(ctx, time.Hour) })
		ctx, leave := context.WithCancel(b.Context())
		var left sync.WaitGroup
		for i := range 200 {
			left.Go(func() {
				_, err := ssestreamtest.Connect(ctx, b.client, b.url+"/?key=bad"+strconv.Itoa(i))
				assert.ErrorIs(b, err, context.Canceled)
			})
		}
		settle(100 * time.Millisecond)
		leave()
		left.Wait()
		synctest.Wait()
		start := time.Now()
		var streams []<-chan *ssestreamtest.Stream
		for i := range 24 {
			streams = append(streams, b.connectLater("key="+strconv.Itoa(i)))
		}
		for _, stream := range streams {
			nextScore(b, <-stream)
		}
		assert.Equal(b, 20*time.Millisecond, time.Since(start), "12 at once")
	})
}
