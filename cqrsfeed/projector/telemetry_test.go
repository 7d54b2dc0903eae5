package projector_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"

	"github.com/feedmill/feedmill/cqrsfeed"
	"github.com/feedmill/feedmill/cqrsfeed/projector"
)

// measured is the value of a counter or gauge, or the count and sum of a histogram.
type measured struct {
	value int64
	sum   float64
}

// collectMetrics returns the metrics by name. It fails if one lacks the projector's name as attribute.
func collectMetrics(t *testing.T, reader *sdkmetric.ManualReader, proj string) map[string]measured {
	t.Helper()
	var all metricdata.ResourceMetrics
	require.NoError(t, reader.Collect(t.Context(), &all))
	values := map[string]measured{}
	want := attribute.NewSet(attribute.String("cqrsfeed.projector", proj))
	for _, scope := range all.ScopeMetrics {
		for _, m := range scope.Metrics {
			switch data := m.Data.(type) {
			case metricdata.Sum[int64]:
				assert.True(t, want.Equals(&data.DataPoints[0].Attributes), m.Name)
				values[m.Name] = measured{value: data.DataPoints[0].Value}
			case metricdata.Gauge[int64]:
				assert.True(t, want.Equals(&data.DataPoints[0].Attributes), m.Name)
				values[m.Name] = measured{value: data.DataPoints[0].Value}
			case metricdata.Gauge[float64]:
				assert.True(t, want.Equals(&data.DataPoints[0].Attributes), m.Name)
				values[m.Name] = measured{sum: data.DataPoints[0].Value}
			case metricdata.Histogram[int64]:
				p := data.DataPoints[0]
				assert.True(t, want.Equals(&p.Attributes), m.Name)
				values[m.Name] = measured{int64(p.Count), float64(p.Sum)}
			case metricdata.Histogram[float64]:
				p := data.DataPoints[0]
				assert.True(t, want.Equals(&p.Attributes), m.Name)
				values[m.Name] = measured{int64(p.Count), p.Sum}
			}
		}
	}
	return values
}

// TestMetrics has five messages: one alone, then four in a batch that fails at first. One is refused, and one has no time.
func TestMetrics(t *testing.T) {
	t.Parallel()
	reader := sdkmetric.NewManualReader()
	attempts := 0
	config := projector.Config{
		Name: "tester", MeterProvider: sdkmetric.NewMeterProvider(sdkmetric.WithReader(reader)),
		Projection: funcProjection(func(_ context.Context, batch []*message.Message) ([]*message.Message, error) {
			pass(time.Second)
			attempts++
			if attempts == 2 {
				return nil, errDown
			}
			for _, msg := range batch {
				if string(msg.Payload) == "bad" {
					return nil, &cqrsfeed.RefusedError{Message: msg, Reason: errDown}
				}
			}
			return nil, nil
		}),
		MinBackoff: time.Nanosecond, MaxBackoff: time.Nanosecond, // waits are this long or half of it
	}
	withBroker(t, config, nil, func(subscriber *handSubscriber) {
		values := collectMetrics(t, reader, "tester")
		for _, name := range []string{"cqrsfeed.projector.failures", "cqrsfeed.projector.poison", "cqrsfeed.projector.dropped", "cqrsfeed.projector.updates.refused"} {
			assert.Contains(t, values, name, "an alarm on its rise has to see where it begins")
			assert.Zero(t, values[name].value)
		}
		happened := time.Now()
		var sent []*message.Message
		send := func(payload, at string) {
			msg := message.NewMessage(payload, []byte(payload))
			if at != "" {
				msg.Metadata.Set("time", at)
			}
			sent = append(sent, msg)
			subscriber.topics["in"] <- msg
		}
		now := happened.UTC().Format(time.RFC3339Nano)
		send("1", now)
		synctest.Wait()
		assert.Equal(t, int64(1), collectMetrics(t, reader, "tester")["cqrsfeed.projector.backlog"].value)
		for payload, at := range map[string]string{"2": now, "3": "", "bad": now, "4": happened.Add(time.Hour).Format(time.RFC3339Nano)} {
			send(payload, at)
		}
		synctest.Wait()
		assert.Equal(t, int64(5), collectMetrics(t, reader, "tester")["cqrsfeed.projector.backlog"].value)
		requireAcked(t, sent...)
		synctest.Wait()

		values = collectMetrics(t, reader, "tester")
		assert.Equal(t, measured{2, 4}, values["cqrsfeed.projector.batch.size"], "1 and then 3")
		assert.Equal(t, int64(4), values["cqrsfeed.projector.apply.duration"].value, "the failed and the poisoned one too")
		assert.InDelta(t, 4, values["cqrsfeed.projector.apply.duration"].sum, .001)
		assert.Equal(t, int64(1), values["cqrsfeed.projector.failures"].value)
		assert.Equal(t, int64(1), values["cqrsfeed.projector.poison"].value)
		assert.Equal(t, int64(3), values["cqrsfeed.projector.lag"].value, "of those that say when")
		assert.InDelta(t, 1+4+0, values["cqrsfeed.projector.lag"].sum, .001, "one is of a clock that runs ahead")
		assert.Equal(t, int64(0), values["cqrsfeed.projector.backlog"].value)
	})
	assert.NotContains(t, collectMetrics(t, reader, "tester"), "cqrsfeed.projector.backlog", "it has stopped")
}

// backloggedSubscriber is a Backlogger.
type backloggedSubscriber struct {
	*handSubscriber
	backlog map[string]projector.Backlog
	err     error
}

func (s *backloggedSubscriber) Backlog(ctx context.Context, topic string) (projector.Backlog, error) {
	if _, ok := ctx.Deadline(); !ok {
		return projector.Backlog{}, errors.New("metrics must not wait for ever")
	}
	return s.backlog[topic], s.err
}

func TestTheBacklogIsTheSubscribers(t *testing.T) {
	t.Parallel()
	reader := sdkmetric.NewManualReader()
	hour := time.Now().Add(-time.Hour)
	subscriber := &backloggedSubscriber{handSubscriber: newHandSubscriber("a", "b"), backlog: map[string]projector.Backlog{
		"a": {Messages: 40, Oldest: hour.Add(time.Minute)}, "b": {Messages: 2, Oldest: hour},
	}}
	proj := newProjector(t, projector.Config{
		Subscriber: subscriber, Topics: []string{"a", "b"}, Publisher: &recorder{},
		Projection:    funcProjection(func(context.Context, []*message.Message) ([]*message.Message, error) { return nil, nil }),
		MeterProvider: sdkmetric.NewMeterProvider(sdkmetric.WithReader(reader)),
	})
	ctx, stop := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- proj.Run(ctx) }()
	<-proj.Running()
	values := collectMetrics(t, reader, "projector")
	assert.Equal(t, int64(42), values["cqrsfeed.projector.backlog"].value)
	assert.InDelta(t, 3600, values["cqrsfeed.projector.backlog.age"].sum, 60)
	status, err := proj.Status(t.Context())
	require.NoError(t, err)
	assert.Equal(t, int64(42), status.Backlog)
	assert.Equal(t, hour, status.Oldest)

	subscriber.err = errors.ErrUnsupported
	values = collectMetrics(t, reader, "projector")
	assert.Equal(t, int64(0), values["cqrsfeed.projector.backlog"].value, "of those that were delivered")
	assert.NotContains(t, values, "cqrsfeed.projector.backlog.age")
	subscriber.err = errDown
	var all metricdata.ResourceMetrics
	require.ErrorContains(t, reader.Collect(t.Context(), &all), `backlog of topic "a"`)
	stop()
	require.NoError(t, <-done)
}

const (
	sampledParent   = "00-0123456789abcdef0123456789abcdef-0123456789abcdef-01"
	otherParent     = "00-aaaabbbbccccddddaaaabbbbccccdddd-aaaabbbbccccdddd-01"
	unsampledParent = "00-99999999999999999999999999999999-9999999999999999-00"
)

func tracedMessage(uuid, parent string) *message.Message {
	msg := message.NewMessage(uuid, nil)
	msg.Metadata.Set("traceparent", parent)
	return msg
}

// TestTraces: each attempt is a span below the first sampled message, linked to the others, and updates carry it on.
func TestTraces(t *testing.T) {
	t.Parallel()
	spans := tracetest.NewSpanRecorder()
	publisher := &messageRecorder{}
	fail := true
	proj := inProcess(t, projector.Config{
		Name: "tester", Publisher: publisher,
		TracerProvider: sdktrace.NewTracerProvider(sdktrace.WithSpanProcessor(spans)),
		Projection: funcProjection(func(context.Context, []*message.Message) ([]*message.Message, error) {
			if fail {
				fail = false
				return nil, errors.New("the store is away")
			}
			own := message.NewMessage("own", nil)
			own.Metadata.Set("traceparent", otherParent)
			return []*message.Message{message.NewMessage("update", nil), own}, nil
		}),
	}, nil)
	require.Error(t, proj.Publish("in", tracedMessage("m", sampledParent)))
	require.NoError(t, proj.Publish("in", tracedMessage("m", sampledParent)))
	require.Len(t, spans.Ended(), 2)
	failed, done := spans.Ended()[0], spans.Ended()[1]
	assert.Equal(t, codes.Error, failed.Status().Code)
	assert.Contains(t, failed.Status().Description, "the store is away")
	assert.Equal(t, codes.Unset, done.Status().Code)
	for _, span := range spans.Ended() {
		assert.Equal(t, "cqrsfeed apply", span.Name())
		assert.Equal(t, "0123456789abcdef0123456789abcdef", span.SpanContext().TraceID().String())
		assert.Equal(t, "0123456789abcdef", span.Parent().SpanID().String())
		assert.Contains(t, span.Attributes(), attribute.String("cqrsfeed.projector", "tester"))
		assert.Contains(t, span.Attributes(), attribute.Int("cqrsfeed.batch.size", 1))
	}
	updates := publisher.on(updatesTopic)
	want := "00-0123456789abcdef0123456789abcdef-" + done.SpanContext().SpanID().String() + "-01"
	assert.Equal(t, want, updates[0].Metadata.Get("traceparent"))
	assert.Equal(t, otherParent, updates[1].Metadata.Get("traceparent"), "the projection knew better")

	require.NoError(t, proj.Publish("in", tracedMessage("m", unsampledParent)))
	require.NoError(t, proj.Publish("in", message.NewMessage("m", nil)))
	assert.Len(t, spans.Started(), 2, "nobody asked for more")
	updates = publisher.on(updatesTopic)
	assert.Equal(t, unsampledParent, updates[2].Metadata.Get("traceparent"), "the trace goes on, unsampled")
	assert.NotContains(t, updates[4].Metadata, "traceparent")
}

func TestASpanLinksToAllMessages(t *testing.T) {
	t.Parallel()
	spans := tracetest.NewSpanRecorder()
	provider := sdktrace.NewTracerProvider(sdktrace.WithSpanProcessor(spans))
	projection := &slowProjection{takes: time.Second}
	withBroker(t, projector.Config{Projection: projection, TracerProvider: provider}, nil, func(subscriber *handSubscriber) {
		sent := subscriber.send("in", "alone")
		synctest.Wait()
		for _, parent := range []string{unsampledParent, otherParent, sampledParent} {
			msg := tracedMessage("m", parent)
			subscriber.topics["in"] <- msg
			sent = append(sent, msg)
		}
		requireAcked(t, sent...)
		synctest.Wait()
	})
	require.Len(t, spans.Ended(), 1)
	batch := spans.Ended()[0]
	assert.Equal(t, "aaaabbbbccccddddaaaabbbbccccdddd", batch.SpanContext().TraceID().String())
	require.Len(t, batch.Links(), 1)
	assert.Equal(t, "0123456789abcdef0123456789abcdef", batch.Links()[0].SpanContext.TraceID().String())
}
