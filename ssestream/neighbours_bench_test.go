package ssestream_test

import (
	"context"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/feedmill/feedmill/ssestream"
)

// BenchmarkNeighbours has a healthy key, whose load takes a millisecond, updated beside 200 keys that fail, are slow or
// hang, and alone, in turn in one run. beside/alone is the ratio of the times from the message to the client.
func BenchmarkNeighbours(b *testing.B) {
	for name, bad := range map[string]func(ctx context.Context, closed <-chan struct{}) error{
		"failing": func(context.Context, <-chan struct{}) error { return errStore },
		"slow":    func(ctx context.Context, _ <-chan struct{}) error { return takes(ctx, 3*time.Second) },
		"hung":    func(_ context.Context, closed <-chan struct{}) error { <-closed; return errStore },
	} {
		b.Run(name, func(b *testing.B) {
			start := func(neighbours int) func(n int) {
				board, source := newBoard(), newSource()
				router := newRouter(b, ssestream.RouterConfig{UpstreamSubscriber: source})
				site := serve(b, router.AddHandler(topic, board.adapter(b)))
				run(b, router)
				closed := make(chan struct{})
				b.Cleanup(func() { close(closed) })
				board.before(func(ctx context.Context, key string) error {
					if key == "healthy" {
						return takes(ctx, time.Millisecond)
					}

					return bad(ctx, closed)
				})
				stream := site.connect(b, "key=healthy")
				nextScore(b, stream)
				var opened sync.WaitGroup
				for i := range neighbours {
					opened.Go(func() { site.connect(b, "key="+strconv.Itoa(i)) })
				}
				opened.Wait()

				return func(n int) {
					board.set("healthy", n)
					source.announce(b, "healthy")
					require.Equal(b, n, nextScore(b, stream).N)
				}
			}
			alone, beside := start(0), start(200)
			var aloneTime, besideTime time.Duration
			n := 0
			for b.Loop() {
				n++
				begin := time.Now()
				beside(n)
				middle := time.Now()
				alone(n)
				besideTime += middle.Sub(begin)
				aloneTime += time.Since(middle)
			}
			b.ReportMetric(float64(besideTime)/float64(aloneTime), "beside/alone")
		})
	}
}
