package ssestream_test

import (
	"context"
	"testing"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"

	"github.com/feedmill/feedmill/ssestream"
	"github.com/feedmill/feedmill/ssestream/ssestreamtest"
)

// collect answers the metrics by name: the value of a counter, the count of a histogram.
func collect(tb testing.TB, reader *metric.ManualReader) map[string]int64 {
	tb.Helper()
	var all metricdata.ResourceMetrics
	require.NoError(tb, reader.Collect(context.Background(), &all))
	values := map[string]int64{}
	for _, scope := range all.ScopeMetrics {
		for _, m := range scope.Metrics {
			switch data := m.Data.(type) {
			case metricdata.Sum[int64]:
				values[m.Name] = data.DataPoints[0].Value
			case metricdata.Histogram[float64]:
				values[m.Name] = int64(data.DataPoints[0].Count)
			}
		}
	}

	return values
}

// TestMetrics are the router's statistics, and how long loads and deliveries took.
func TestMetrics(t *testing.T) {
	t.Parallel()
	reader := metric.NewManualReader()
	board, source := newBoard(), newSource()
	published := time.Now().Add(-time.Hour)
	router := newRouter(t, ssestream.RouterConfig{
		UpstreamSubscriber: source, MeterProvider: metric.NewMeterProvider(metric.WithReader(reader)), MaxClients: 3,
		PublishTime: func(*message.Message) time.Time { return published },
	})
	site := serve(t, router.AddHandler(topic, board.adapter(t)))
	run(t, router)
	streams := []*ssestreamtest.Stream{site.connect(t, "key=a"), site.connect(t, "key=a"), site.connect(t, "key=b")}
	for _, stream := range streams {
		nextScore(t, stream)
	}
	ended(t, site.connect(t, "key=a"))
	board.set("a", 1)
	source.announce(t, "a")
	nextScore(t, streams[0])
	nextScore(t, streams[1])

	// The counters come a moment after what they count.
	require.Eventually(t, func() bool { return router.Stats().Frames == 5 }, 10*time.Second, time.Millisecond)
	stats, values := router.Stats(), collect(t, reader)
	for name, want := range map[string]int64{
		"ssestream.clients": 3, "ssestream.rooms": 2, "ssestream.loads": stats.Loads, "ssestream.load.errors": 0,
		"ssestream.frames": 5, "ssestream.io": stats.Bytes, "ssestream.states.skipped": 0, "ssestream.clients.slow": 0,
		"ssestream.clients.refused": 1, "ssestream.clients.dropped": 0,
		"ssestream.load.duration": stats.Loads, "ssestream.delivery.duration": 2,
	} {
		got, ok := values[name]
		assert.True(t, ok, name)
		assert.Equal(t, want, got, name)
	}
	assert.Positive(t, stats.Bytes)

	var all metricdata.ResourceMetrics
	require.NoError(t, reader.Collect(t.Context(), &all))
	for _, m := range all.ScopeMetrics[0].Metrics {
		if data, ok := m.Data.(metricdata.Histogram[float64]); ok && m.Name == "ssestream.delivery.duration" {
			assert.GreaterOrEqual(t, data.DataPoints[0].Sum, 2*time.Hour.Seconds())
		}
	}
	require.NoError(t, router.Close())
	last := collect(t, reader)
	assert.EqualValues(t, 5, last["ssestream.frames"], "the last export is made when the router has closed")
	assert.Zero(t, last["ssestream.clients"])
}

const (
	sampled   = "00-0123456789abcdef0123456789abcdef-0123456789abcdef-01"
	unsampled = "00-0123456789abcdef0123456789abcdef-0123456789abcdef-00"
)

// TestTraces go from the message through the load to the writes.
func TestTraces(t *testing.T) {
	t.Parallel()
	for name, start := range map[string]func(tb testing.TB, h *ssestream.Router, board *board) site{
		"taken over": func(tb testing.TB, router *ssestream.Router, board *board) site {
			tb.Helper()

			return serve(tb, router.AddHandler(topic, board.adapter(tb)))
		},
		"HTTP 2": func(tb testing.TB, router *ssestream.Router, board *board) site {
			tb.Helper()

			return serveHTTP2(tb, router.AddHandler(topic, board.adapter(tb)), nil)
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			recorder := tracetest.NewSpanRecorder()
			board, source := newBoard(), newSource()
			router := newRouter(t, ssestream.RouterConfig{
				UpstreamSubscriber: source, TracerProvider: sdktrace.NewTracerProvider(sdktrace.WithSpanProcessor(recorder)),
			})
			site := start(t, router, board)
			run(t, router)
			one, two := site.connect(t, "key=a"), site.connect(t, "key=a")
			nextScore(t, one)
			nextScore(t, two)
			assert.Empty(t, recorder.Started(), "nobody asked for it")
			for i, parent := range []string{unsampled, sampled} {
				board.set("a", i+1)
				source.announceWith(t, message.Metadata{"traceparent": parent}, "a")
				nextScore(t, one)
				nextScore(t, two)
			}
			spans := map[string][]sdktrace.ReadOnlySpan{}
			require.Eventually(t, func() bool {
				clear(spans)
				for _, span := range recorder.Ended() {
					spans[span.Name()] = append(spans[span.Name()], span)
				}

				return clientsOf(spans["ssestream write"]) == 2
			}, 10*time.Second, time.Millisecond)
			require.Len(t, spans["ssestream load"], 1)
			load := spans["ssestream load"][0]
			assert.Equal(t, "0123456789abcdef0123456789abcdef", load.SpanContext().TraceID().String())
			assert.Equal(t, "0123456789abcdef", load.Parent().SpanID().String())
			assert.Contains(t, load.Attributes(), attribute.String("ssestream.key", "a"))
			for _, write := range spans["ssestream write"] {
				assert.Equal(t, load.SpanContext().SpanID(), write.Parent().SpanID())
			}
		})
	}
}

func clientsOf(writes []sdktrace.ReadOnlySpan) int64 {
	var clients int64
	for _, write := range writes {
		for _, a := range write.Attributes() {
			if a.Key == "ssestream.clients" {
				clients += a.Value.AsInt64()
			}
		}
	}

	return clients
}

// TestALoadIsLinkedToAllItsMessages when several ask for it.
func TestALoadIsLinkedToAllItsMessages(t *testing.T) {
	t.Parallel()
	recorder := tracetest.NewSpanRecorder()
	config := ssestream.RouterConfig{
		TracerProvider: sdktrace.NewTracerProvider(sdktrace.WithSpanProcessor(recorder)), MinLoadInterval: 30 * time.Second,
	}
	inBubble(t, config, func(b bubble) {
		stream := b.connect("key=a")
		nextScore(b, stream)
		b.board.set("a", 1)
		for range 20 {
			b.source.announceWith(b, message.Metadata{"traceparent": sampled}, "a")
		}
		nextScore(b, stream)
		settle(time.Second)
		var loads []sdktrace.ReadOnlySpan
		for _, span := range recorder.Ended() {
			if span.Name() == "ssestream load" {
				loads = append(loads, span)
			}
		}
		require.Len(b, loads, 1)
		assert.Len(b, loads[0].Links(), 16)
	})
}

// TestAPanicOfWhatIsOnlyWatched does not keep the change from its clients.
func TestAPanicOfWhatIsOnlyWatched(t *testing.T) {
	t.Parallel()
	config := ssestream.RouterConfig{PublishTime: func(*message.Message) time.Time { panic("boom") }}
	inBubble(t, config, func(b bubble) {
		stream := b.connect("key=a")
		nextScore(b, stream)
		b.board.set("a", 1)
		b.source.announce(b, "a")
		assert.Equal(b, 1, nextScore(b, stream).N)
	})
}
