package outbox

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"
)

// relayScope names the relay to OpenTelemetry.
const relayScope = "github.com/feedmill/feedmill/cqrsfeed"

// relayMetrics are the metrics of a relay.
type relayMetrics struct {
	meter metric.Meter
	which metric.MeasurementOption

	published, refused, failures metric.Int64Counter
	duration, latency            metric.Float64Histogram

	waiting atomic.Int64 // topics whose breaker is open
}

func newRelayMetrics(provider metric.MeterProvider, name string) (*relayMetrics, error) {
	m := &relayMetrics{
		meter: provider.Meter(relayScope),
		which: metric.WithAttributeSet(attribute.NewSet(attribute.String("cqrsfeed.relay", name))),
	}
	var errs [5]error
	m.published, errs[0] = m.meter.Int64Counter("cqrsfeed.relay.published",
		metric.WithUnit("{message}"), metric.WithDescription("Messages that were published."))
	m.refused, errs[1] = m.meter.Int64Counter("cqrsfeed.relay.parked",
		metric.WithUnit("{message}"), metric.WithDescription("Messages that were parked."))
	m.failures, errs[2] = m.meter.Int64Counter("cqrsfeed.relay.failures",
		metric.WithUnit("{failure}"), metric.WithDescription("Failures of the store, and of topics, which then wait."))
	m.duration, errs[3] = m.meter.Float64Histogram("cqrsfeed.relay.publish.duration",
		metric.WithUnit("s"), metric.WithDescription("Duration of calls of Publish, including those that failed."),
		metric.WithExplicitBucketBoundaries(.0005, .001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10))
	m.latency, errs[4] = m.meter.Float64Histogram("cqrsfeed.relay.latency",
		metric.WithUnit("s"), metric.WithDescription("Time from when a message was put into the outbox until it was published."),
		metric.WithExplicitBucketBoundaries(.001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 60, 300, 1800))
	if err := errors.Join(errs[:]...); err != nil {
		return nil, fmt.Errorf("make instruments: %w", err)
	}
	return m, nil
}

// begin initialises the counters to zero, so that alerts see the first increment.
func (m *relayMetrics) begin(ctx context.Context) {
	for _, counter := range []metric.Int64Counter{m.published, m.refused, m.failures} {
		counter.Add(ctx, 0, m.which)
	}
}

// observe collects the open breakers and the backlog of the outbox, until stop is called.
func (m *relayMetrics) observe(outbox Outbox) (stop func() error, err error) {
	waiting, waitingErr := m.meter.Int64ObservableGauge("cqrsfeed.relay.breakers",
		metric.WithUnit("{topic}"), metric.WithDescription("Topics that wait because they failed."))
	depth, depthErr := m.meter.Int64ObservableGauge("cqrsfeed.outbox.depth",
		metric.WithUnit("{message}"), metric.WithDescription(fmt.Sprintf("Messages that wait to be published, at most %d.", MaxCounted)))
	age, ageErr := m.meter.Float64ObservableGauge("cqrsfeed.outbox.age",
		metric.WithUnit("s"), metric.WithDescription("How long the oldest message has been waiting."))
	parked, parkedErr := m.meter.Int64ObservableGauge("cqrsfeed.outbox.parked",
		metric.WithUnit("{message}"), metric.WithDescription(fmt.Sprintf("Messages that are parked, at most %d.", MaxCounted)))
	if err := errors.Join(waitingErr, depthErr, ageErr, parkedErr); err != nil {
		return nil, fmt.Errorf("make instruments: %w", err)
	}
	registration, err := m.meter.RegisterCallback(func(ctx context.Context, o metric.Observer) error {
		o.ObserveInt64(waiting, m.waiting.Load(), m.which)
		ctx, cancel := context.WithTimeout(ctx, backlogTimeout)
		defer cancel()
		backlog, err := outbox.Backlog(ctx)
		if err != nil {
			return err
		}
		o.ObserveInt64(depth, backlog.Waiting, m.which)
		o.ObserveInt64(parked, backlog.Parked, m.which)
		waited := 0.0
		if !backlog.Oldest.IsZero() {
			waited = max(0, time.Since(backlog.Oldest).Seconds())
		}
		o.ObserveFloat64(age, waited, m.which)
		return nil
	}, waiting, depth, age, parked)
	if err != nil {
		return nil, fmt.Errorf("register instruments: %w", err)
	}
	return registration.Unregister, nil
}

// called records a call of Publish.
func (m *relayMetrics) called(ctx context.Context, took time.Duration) {
	if m.duration.Enabled(ctx) {
		m.duration.Record(ctx, took.Seconds(), m.which)
	}
}

// delivered counts published messages.
func (m *relayMetrics) delivered(ctx context.Context, messages []Message) {
	m.published.Add(ctx, int64(len(messages)), m.which)
	if !m.latency.Enabled(ctx) {
		return
	}
	for _, msg := range messages {
		if !msg.AddedAt.IsZero() {
			m.latency.Record(ctx, max(0, time.Since(msg.AddedAt).Seconds()), m.which)
		}
	}
}

func (m *relayMetrics) parked(ctx context.Context, messages int) {
	m.refused.Add(ctx, int64(messages), m.which)
}

func (m *relayMetrics) failed(ctx context.Context) { m.failures.Add(ctx, 1, m.which) }

// backlogTimeout bounds how long a collection of metrics may wait for the store.
const backlogTimeout = time.Second
