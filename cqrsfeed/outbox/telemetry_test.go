package outbox_test

import (
	"context"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"
	"go.opentelemetry.io/otel/trace"

	"github.com/feedmill/feedmill/cqrsfeed/outbox"
)

// operatedOutbox counts the calls of Backlog.
type operatedOutbox struct {
	*memoryOutbox

	asked atomic.Int64
}

func (o *operatedOutbox) Backlog(ctx context.Context) (outbox.Backlog, error) {
	o.asked.Add(1)
	return o.memoryOutbox.Backlog(ctx)
}

// relayMetrics returns a relay's metrics by name: the value of a counter or a gauge, the sum of a histogram and,
// with "#" in front, its count.
func relayMetrics(t *testing.T, reader *metric.ManualReader, relay string) map[string]float64 {
	t.Helper()
	var all metricdata.ResourceMetrics
	require.NoError(t, reader.Collect(context.Background(), &all))
	values := map[string]float64{}
	is := func(set attribute.Set) bool {
		name, _ := set.Value("cqrsfeed.relay")
		return name.AsString() == relay
	}
	for _, scope := range all.ScopeMetrics {
		for _, m := range scope.Metrics {
			switch data := m.Data.(type) {
			case metricdata.Sum[int64]:
				for _, p := range data.DataPoints {
					if is(p.Attributes) {
						values[m.Name] = float64(p.Value)
					}
				}
			case metricdata.Gauge[int64]:
				for _, p := range data.DataPoints {
					if is(p.Attributes) {
						values[m.Name] = float64(p.Value)
					}
				}
			case metricdata.Gauge[float64]:
				for _, p := range data.DataPoints {
					if is(p.Attributes) {
						values[m.Name] = p.Value
					}
				}
			case metricdata.Histogram[float64]:
				for _, p := range data.DataPoints {
					if is(p.Attributes) {
						values[m.Name], values["#"+m.Name] = p.Sum, float64(p.Count)
					}
				}
			}
		}
	}
	return values
}

func TestRelayMetrics(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		reader := metric.NewManualReader()
		batch := many("a", 0, 4)
		for i := range batch {
			batch[i].AddedAt = time.Now().Add(-time.Hour)
		}
		queue := &operatedOutbox{memoryOutbox: newMemoryOutbox(batch...)}
		var down atomic.Bool
		down.Store(true)
		publisher := &broker{tell: named, rule: func(_ string, msg *message.Message) error {
			time.Sleep(time.Second) //nolint:forbidigo // virtual time: what a call of Publish takes
			if msg.UUID == "a1" {
				return errTooLarge
			}
			return nil
		}}
		stop := runRelay(t, outbox.RelayConfig{
			Name: "mine", Outbox: queue, MeterProvider: metric.NewMeterProvider(metric.WithReader(reader)),
			Publisher: publisherFunc(func(topic string, messages ...*message.Message) error {
				if down.Load() {
					return errDown
				}
				return publisher.Publish(topic, messages...)
			}),
		})
		time.Sleep(time.Second) //nolint:forbidigo // virtual time
		synctest.Wait()
		assert.Zero(t, queue.asked.Load(), "the backlog is asked for only when somebody collects")
		values := relayMetrics(t, reader, "mine")
		assert.Equal(t, int64(1), queue.asked.Load())
		assert.InDelta(t, 4, values["cqrsfeed.outbox.depth"], 0)
		assert.InDelta(t, time.Hour.Seconds()+1, values["cqrsfeed.outbox.age"], .001)
		assert.InDelta(t, 0, values["cqrsfeed.outbox.parked"], 0)
		assert.InDelta(t, 1, values["cqrsfeed.relay.breakers"], 0)
		assert.Positive(t, values["cqrsfeed.relay.failures"])
		for _, name := range []string{"cqrsfeed.relay.published", "cqrsfeed.relay.parked"} {
			assert.Contains(t, values, name, "alerts must see the first increment")
			assert.Zero(t, values[name])
		}

		down.Store(false)
		time.Sleep(20 * time.Second) //nolint:forbidigo // virtual time
		synctest.Wait()
		failures := values["cqrsfeed.relay.failures"]
		values = relayMetrics(t, reader, "mine")
		assert.InDelta(t, 0, values["cqrsfeed.outbox.depth"], 0)
		assert.InDelta(t, 0, values["cqrsfeed.outbox.age"], 0)
		assert.InDelta(t, 1, values["cqrsfeed.outbox.parked"], 0)
		assert.InDelta(t, 3, values["cqrsfeed.relay.published"], 0)
		assert.InDelta(t, 1, values["cqrsfeed.relay.parked"], 0)
		assert.InDelta(t, 0, values["cqrsfeed.relay.breakers"], 0)
		assert.InDelta(t, failures, values["cqrsfeed.relay.failures"], 1, "a parked message is not a failure")
		assert.InDelta(t, 3, values["#cqrsfeed.relay.latency"], 0)
		assert.InDelta(t, 3*time.Hour.Seconds(), values["cqrsfeed.relay.latency"], 60)
		assert.InDelta(t, 4, values["cqrsfeed.relay.publish.duration"], .001, "four calls of a second each")

		stop()
		assert.NotContains(t, relayMetrics(t, reader, "mine"), "cqrsfeed.outbox.depth", "a stopped relay observes nothing")
		assert.Equal(t, int64(2), queue.asked.Load())
	})
}

// hangingOutbox has a database that hangs.
type hangingOutbox struct{ operatedOutbox }

func (o *hangingOutbox) Backlog(ctx context.Context) (outbox.Backlog, error) {
	<-ctx.Done()
	return outbox.Backlog{}, ctx.Err()
}

// TestRelayMetricsDoNotHangWithTheDatabase: a collection returns all metrics but the backlog, after a second.
func TestRelayMetricsDoNotHangWithTheDatabase(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		reader := metric.NewManualReader()
		queue := &hangingOutbox{operatedOutbox{memoryOutbox: newMemoryOutbox(many("a", 0, 4)...)}}
		stop := runRelay(t, outbox.RelayConfig{
			Outbox: queue, Publisher: &broker{}, MeterProvider: metric.NewMeterProvider(metric.WithReader(reader)),
		})
		synctest.Wait()
		ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
		defer cancel()
		began := time.Now()
		var all metricdata.ResourceMetrics
		require.ErrorIs(t, reader.Collect(ctx, &all), context.DeadlineExceeded)
		assert.Equal(t, time.Second, time.Since(began))
		require.NotEmpty(t, all.ScopeMetrics)
		var names []string
		for _, m := range all.ScopeMetrics[0].Metrics {
			names = append(names, m.Name)
		}
		assert.Contains(t, names, "cqrsfeed.relay.published")
		assert.NotContains(t, names, "cqrsfeed.outbox.depth")
		stop()
	})
}

// TestRelayTraces: publishing a message whose trace is sampled is a span. The metadata does not change.
func TestRelayTraces(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		spans := tracetest.NewSpanRecorder()
		batch := many("a", 0, 4)
		batch[1].Message.Metadata.Set("traceparent", sampledParent)
		batch[2].Message.Metadata.Set("traceparent", unsampledParent)
		batch[3].Message.Metadata.Set("traceparent", "nonsense")
		queue := newMemoryOutbox(batch...)
		var got []message.Metadata
		failures := 1
		publisher := publisherFunc(func(_ string, messages ...*message.Message) error {
			if failures--; failures == 0 {
				return errDown
			}
			for _, msg := range messages {
				got = append(got, msg.Metadata)
			}
			return nil
		})
		stop := runRelay(t, outbox.RelayConfig{
			Outbox: queue, Publisher: publisher, TracerProvider: sdktrace.NewTracerProvider(
				sdktrace.WithSpanProcessor(spans), sdktrace.WithSampler(sdktrace.AlwaysSample()),
			),
		})
		time.Sleep(time.Second) //nolint:forbidigo // virtual time
		stop()
		require.Len(t, got, 4)
		assert.Equal(t, message.Metadata{"traceparent": sampledParent}, got[1])
		ended := spans.Ended()
		require.Len(t, ended, 2, "one for each attempt")
		for i, span := range ended {
			assert.Equal(t, "cqrsfeed publish", span.Name())
			assert.Equal(t, trace.SpanKindProducer, span.SpanKind())
			assert.Equal(t, "0123456789abcdef0123456789abcdef", span.SpanContext().TraceID().String())
			assert.Equal(t, "0123456789abcdef", span.Parent().SpanID().String())
			assert.Contains(t, span.Attributes(), attribute.String("messaging.destination.name", "a"))
			assert.Contains(t, span.Attributes(), attribute.String("messaging.message.id", "a1"))
			assert.Equal(t, i == 0, span.Status().Description == errDown.Error())
		}
	})
}

const (
	sampledParent   = "00-0123456789abcdef0123456789abcdef-0123456789abcdef-01"
	unsampledParent = "00-99999999999999999999999999999999-9999999999999999-00"
)
