package ssestream_test

import (
	"context"
	"encoding/json"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/ThreeDotsLabs/watermill"
	watermillhttp "github.com/ThreeDotsLabs/watermill-http/v2/pkg/http"
	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/ThreeDotsLabs/watermill/pubsub/gochannel"
	"github.com/stretchr/testify/require"

	"github.com/feedmill/feedmill/ssestream"
	"github.com/feedmill/feedmill/ssestream/internal/wire"
	"github.com/feedmill/feedmill/ssestream/ssestreamtest"
)

func BenchmarkFrame(b *testing.B) {
	data := []byte(strings.Repeat("x", 200))
	buf := make([]byte, 0, 512)
	b.SetBytes(int64(len(data)))
	b.ReportAllocs()
	for b.Loop() {
		frame, err := wire.AppendEvent(buf, "data", "0123456789abcdef", data)
		if err != nil || len(frame) == 0 {
			b.Fatal(err)
		}
	}
}

// BenchmarkFanOut has one update of 200 bytes reach 100 clients on loopback, by the stock router and by ours with
// the same adapter, in turn in one run. An operation is one update with ours; stock/ours is the ratio of the times.
func BenchmarkFanOut(b *testing.B) {
	const clients = 100
	start := func(newRouter func(subscriber message.Subscriber) (sseRouter, error)) func(n int) {
		board := newBoard()
		board.setText("a", strings.Repeat("x", 180))
		pubSub := gochannel.NewGoChannel(gochannel.Config{BlockPublishUntilSubscriberAck: true}, watermill.NopLogger{})
		router, err := newRouter(pubSub)
		require.NoError(b, err)
		site := serve(b, router.AddHandler(topic, board.adapter(b)))
		ctx, cancel := context.WithCancel(context.Background())
		done := make(chan error)
		go func() { done <- router.Run(ctx) }()
		<-router.Running()
		b.Cleanup(func() {
			cancel()
			require.NoError(b, <-done)
			require.NoError(b, pubSub.Close())
		})
		payload := []byte(jsonOf(b, changed{Keys: []string{"a"}}))
		streams := make([]*ssestreamtest.Stream, clients)
		for i := range streams {
			streams[i] = site.connect(b, "key=a")
			nextScore(b, streams[i])
		}

		return func(n int) {
			board.set("a", n)
			require.NoError(b, pubSub.Publish(topic, message.NewMessage(watermill.NewUUID(), payload)))
			for _, stream := range streams {
				// The stock router may be behind by a message that it overtook.
				for !strings.Contains(next(b, stream).Data, `"N":`+jsonOf(b, n)+`,`) {
				}
			}
		}
	}
	stock := start(func(subscriber message.Subscriber) (sseRouter, error) {
		return watermillhttp.NewSSERouter(watermillhttp.SSERouterConfig{UpstreamSubscriber: subscriber}, watermill.NopLogger{})
	})
	ours := start(func(subscriber message.Subscriber) (sseRouter, error) {
		return ssestream.NewRouter(ssestream.RouterConfig{
			UpstreamSubscriber: subscriber, Resync: ssestream.Off,
		}, watermill.NopLogger{})
	})

	var stockTime, oursTime time.Duration
	n := 0
	for b.Loop() {
		n++
		begin := time.Now()
		ours(n)
		middle := time.Now()
		b.StopTimer()
		stock(n)
		b.StartTimer()
		oursTime += middle.Sub(begin)
		stockTime += time.Since(middle)
	}
	b.ReportMetric(float64(stockTime)/float64(oursTime), "stock/ours")
	b.ReportMetric(float64(oursTime.Nanoseconds())/float64(n*clients), "ns/delivery")
}

// BenchmarkBesideLargeStates has an update of a small state reach its client while one of a large state is written to
// 200 others. An operation is the small update.
func BenchmarkBesideLargeStates(b *testing.B) {
	board, source := newBoard(), newSource()
	router := newRouter(b, ssestream.RouterConfig{UpstreamSubscriber: source, MaxFrameBytes: 1 << 21, WriteTimeout: time.Minute})
	site := serve(b, router.AddHandler(topic, board.adapter(b)))
	run(b, router)
	board.setText("large", bulk(1<<20))
	for range 200 {
		conn := send(b, site, "GET /?key=large HTTP/1.1\r\nHost: x\r\nAccept: text/event-stream\r\n\r\n")
		require.NoError(b, conn.SetDeadline(time.Time{}))
		go func() { _, _ = io.Copy(io.Discard, conn) }()
	}
	small := site.connect(b, "key=small")
	nextScore(b, small)
	written := func(n int64) func() bool { return func() bool { return router.Stats().Frames >= n } }
	require.Eventually(b, written(201), time.Minute, time.Millisecond)

	n := 0
	for b.Loop() {
		b.StopTimer()
		n++
		before := router.Stats().Frames
		board.set("large", n)
		board.set("small", n)
		source.announce(b, "large")
		require.Eventually(b, written(before+1), time.Minute, 50*time.Microsecond)
		b.StartTimer()
		source.announce(b, "small")
		require.Equal(b, n, nextScore(b, small).N)
		b.StopTimer()
		require.Eventually(b, written(before+201), time.Minute, time.Millisecond)
		b.StartTimer()
	}
}

func jsonOf(tb testing.TB, v any) string {
	tb.Helper()
	data, err := json.Marshal(v)
	require.NoError(tb, err)

	return string(data)
}

// BenchmarkEventNobodyFollows is the price of an event for keys without a client.
func BenchmarkEventNobodyFollows(b *testing.B) {
	source := newSource()
	router := newRouter(b, ssestream.RouterConfig{UpstreamSubscriber: source})
	router.AddHandler(topic, newBoard().adapter(b))
	run(b, router)
	payload := []byte(jsonOf(b, changed{Keys: []string{"x", "y", "z"}}))
	b.ReportAllocs()
	for b.Loop() {
		source.send(b, topic, payload)
	}
}
