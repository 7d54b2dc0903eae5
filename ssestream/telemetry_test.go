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

// collect returns the metrics by name: the value of a counter, the count of a histogram.
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

	// A counter is incremented after what it counts.
	require.Eventually(t, func() bool { return router.Stats().Frames == 5 }, time.Minute, time.Millisecond)
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
	assert.EqualValues(t, 5, last["ssestream.frames"], "the last export comes after the router has closed")
	assert.Zero(t, last["ssestream.clients"])
}

const (
	sampled   = "00-0123456789abcdef0123456789abcdef-0123456789abcdef-01"
	unsampled = "00-0123456789abcdef0123456789abcdef-0123456789abcdef-00"
)

// TestTraces follow a sampled message to its load and to the first write. All deliveries have exemplars.
func TestTraces(t *testing.T) {
	t.Parallel()
	recorder, reader := tracetest.NewSpanRecorder(), metric.NewManualReader()
	board, source := newBoard(), newSource()
	router := newRouter(t, ssestream.RouterConfig{
		UpstreamSubscriber: source,
		TracerProvider:     sdktrace.NewTracerProvider(sdktrace.WithSpanProcessor(recorder)),
		MeterProvider:      metric.NewMeterProvider(metric.WithReader(reader)),
	})
	site := serve(t, router.AddHandler(topic, board.adapter(t)))
	run(t, router)
	one, two := site.connect(t, "key=a"), site.connect(t, "key=a")
	nextScore(t, one)
	nextScore(t, two)
	assert.Empty(t, recorder.Started(), "no sampled message")
	for i, parent := range []string{unsampled, sampled} {
		board.set("a", i+1)
		source.announceWith(t, message.Metadata{"traceparent": parent}, "a")
		nextScore(t, one)
		nextScore(t, two)
	}
	require.Eventually(t, func() bool { return router.Stats().Frames == 6 }, time.Minute, time.Millisecond)
	require.Len(t, recorder.Ended(), 2)
	load, write := recorder.Ended()[0], recorder.Ended()[1]
	assert.Equal(t, "ssestream write", write.Name())
	assert.Equal(t, load.SpanContext().SpanID(), write.Parent().SpanID())
	assert.False(t, write.EndTime().Before(write.StartTime()))
	assert.Equal(t, "ssestream load", load.Name())
	assert.Equal(t, "0123456789abcdef0123456789abcdef", load.SpanContext().TraceID().String())
	assert.Equal(t, "0123456789abcdef", load.Parent().SpanID().String())
	assert.Contains(t, load.Attributes(), attribute.String("ssestream.key", "a"))

	span := load.SpanContext().SpanID()
	for _, exemplar := range exemplars(t, reader, "ssestream.delivery.duration") {
		assert.Equal(t, span[:], exemplar.SpanID)
	}
}

// exemplars returns the exemplars of a histogram, of which there must be some.
func exemplars(tb testing.TB, reader *metric.ManualReader, name string) []metricdata.Exemplar[float64] {
	tb.Helper()
	var all metricdata.ResourceMetrics
	require.NoError(tb, reader.Collect(tb.Context(), &all))
	for _, m := range all.ScopeMetrics[0].Metrics {
		if data, ok := m.Data.(metricdata.Histogram[float64]); ok && m.Name == name {
			require.NotEmpty(tb, data.DataPoints[0].Exemplars)

			return data.DataPoints[0].Exemplars
		}
	}
	require.Fail(tb, "no such histogram")

	return nil
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

// TestAPanicOfPublishTime does not keep the change from its clients.
func TestAPanicOfPublishTime(t *testing.T) {
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
