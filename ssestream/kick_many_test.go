package ssestream_test

import (
	"context"
	"net/http"
	"sync"
	"testing"
	"time"

	"github.com/ThreeDotsLabs/watermill"
	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/ThreeDotsLabs/watermill/pubsub/gochannel"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/feedmill/feedmill/ssestream"
	"github.com/feedmill/feedmill/ssestream/ssestreamtest"
)

// fleet is three routers with streams of one principal, most of them taken over and the others by HTTP/2.
type fleet struct {
	broker  *gochannel.GoChannel
	boards  []*board
	routers []*ssestream.Router
	streams []*ssestreamtest.Stream
}

func newFleet(tb testing.TB, takenOver, http2 int) *fleet {
	tb.Helper()
	broker := gochannel.NewGoChannel(gochannel.Config{}, watermill.NopLogger{})
	tb.Cleanup(func() { assert.NoError(tb, broker.Close()) })
	f := fleet{broker: broker}
	var mu sync.Mutex
	for range 3 {
		router := newRouter(tb, ssestream.RouterConfig{
			UpstreamSubscriber: broker,
			Principal:          func(r *http.Request) string { return r.Header.Get("User") },
			KickTopic:          kickTopic, KickPublisher: broker,
		})
		board := newBoard()
		h := router.AddHandler(topic, board.adapter(tb))
		plain := serve(tb, h)
		multiplexed := serveHTTP2(tb, h, nil)
		run(tb, router)
		f.boards, f.routers = append(f.boards, board), append(f.routers, router)
		var wait sync.WaitGroup
		for worker := range 8 {
			wait.Go(func() {
				for i := worker; i < takenOver+http2; i += 8 {
					site := plain
					if i >= takenOver {
						site = multiplexed
					}
					stream, err := ssestreamtest.Connect(context.Background(), site.client, site.url+"/?key=a", as("ann"))
					if !assert.NoError(tb, err) { //nolint:testifylint // not the test's goroutine
						return
					}
					_, err = stream.Next(context.Background())
					assert.NoError(tb, err) //nolint:testifylint // not the test's goroutine
					mu.Lock()
					f.streams = append(f.streams, stream)
					mu.Unlock()
				}
			})
		}
		wait.Wait()
		require.EqualValues(tb, takenOver+http2, router.Stats().Clients)
	}

	return &f
}

// kick returns how long it takes until all clients have seen the end of their streams. The state of the router that kicks
// changes as soon as Kick has returned, and no client is sent that.
func (f *fleet) kick(tb testing.TB) time.Duration {
	tb.Helper()
	var wait sync.WaitGroup
	for _, stream := range f.streams {
		wait.Go(func() {
			event, err := stream.Next(context.Background())
			assert.Error(tb, err, "%v", event) // On HTTP/2 a reset where a heartbeat is under way.
		})
	}
	start := time.Now()
	require.NoError(tb, f.routers[0].Kick(tb.Context(), ssestream.Kick{Principal: "ann"}))
	f.boards[0].set("a", 1)
	require.NoError(tb, f.broker.Publish(topic, message.NewMessage(watermill.NewUUID(), []byte(`{"Keys":["a"]}`))))
	wait.Wait()
	took := time.Since(start)
	for _, stream := range f.streams {
		require.NoError(tb, stream.Close())
	}
	for _, router := range f.routers {
		eventually(tb, func() bool { return router.Stats().Clients == 0 && router.Stats().Rooms == 0 }, "all have left")
	}

	return took
}

// TestKickManyStreams ends 1,500 streams on three routers.
func TestKickManyStreams(t *testing.T) {
	t.Parallel()
	t.Logf("ended after %s", newFleet(t, 300, 200).kick(t))
}

// BenchmarkKick ends 10,000 streams on three routers, 6,000 of them taken over.
func BenchmarkKick(b *testing.B) {
	var took time.Duration
	for range b.N {
		f := newFleet(b, 2000, 1334)
		took += f.kick(b)
	}
	b.ReportMetric(took.Seconds()/float64(b.N), "s/kick")
}
