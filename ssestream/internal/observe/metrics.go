// Package observe counts and traces what a router does.
package observe

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"go.opentelemetry.io/otel/metric"
	"go.opentelemetry.io/otel/trace"
)

// scope names ssestream to OpenTelemetry.
const scope = "github.com/feedmill/feedmill/ssestream"

// Counters are what a router counts; ssestream.Stats says what each is.
type Counters struct {
	Clients, Rooms, Dependencies, Stale, Loads, LoadErrors, Frames, Bytes, Skipped, Slow, Refused, Dropped atomic.Int64
}

// Metrics is what a router tells OpenTelemetry. Counters are only read when they are collected. The two histograms
// are recorded while somebody collects them.
type Metrics struct {
	Counters

	load     metric.Float64Histogram
	delivery metric.Float64Histogram
}

// NewMetrics makes the instruments. The counters are collected from now on, also after the router has closed: the last
// export comes after it, and a counter must not go back.
func NewMetrics(provider metric.MeterProvider) (*Metrics, error) {
	m, meter := &Metrics{}, provider.Meter(scope)
	var loadErr, deliveryErr error
	buckets := metric.WithExplicitBucketBoundaries(.0005, .001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10)
	m.load, loadErr = meter.Float64Histogram("ssestream.load.duration",
		metric.WithUnit("s"), buckets, metric.WithDescription("Duration of the loads of a state, failed ones included."))
	m.delivery, deliveryErr = meter.Float64Histogram("ssestream.delivery.duration",
		metric.WithUnit("s"), buckets, metric.WithDescription("Time from a message to the write of the state that it announced, for every client."))
	if err := errors.Join(loadErr, deliveryErr, observe(meter, &m.Counters)); err != nil {
		return nil, fmt.Errorf("make instruments: %w", err)
	}

	return m, nil
}

func observe(meter metric.Meter, c *Counters) error {
	counters := []struct {
		name, unit, description string
		value                   *atomic.Int64
	}{
		{"ssestream.clients", "{client}", "Open streams.", &c.Clients},
		{"ssestream.rooms", "{room}", "Keys that open streams follow.", &c.Rooms},
		{"ssestream.dependencies", "{key}", "Keys that states depend on beside their own.", &c.Dependencies},
		{"ssestream.rooms.stale", "{room}", "Keys whose state cannot be loaded or sent, for so long that clients were told.", &c.Stale},
		{"ssestream.loads", "{load}", "Loads of a state.", &c.Loads},
		{"ssestream.load.errors", "{load}", "Loads that failed.", &c.LoadErrors},
		{"ssestream.frames", "{frame}", "Events written to clients.", &c.Frames},
		{"ssestream.io", "By", "Bytes of these events.", &c.Bytes},
		{"ssestream.states.skipped", "{state}", "States that a client was not sent because a newer one was there.", &c.Skipped},
		{"ssestream.clients.slow", "{client}", "Times that a connection could not take a frame at once.", &c.Slow},
		{"ssestream.clients.refused", "{client}", "Streams turned away because of a limit.", &c.Refused},
		{"ssestream.clients.dropped", "{client}", "Clients disconnected because they were too slow.", &c.Dropped},
	}
	instruments := make([]metric.Int64Observable, len(counters))
	all := make([]metric.Observable, len(counters))
	var errs []error
	for i, g := range counters {
		var err error
		unit, description := metric.WithUnit(g.unit), metric.WithDescription(g.description)
		switch g.value {
		case &c.Clients, &c.Rooms, &c.Dependencies, &c.Stale:
			instruments[i], err = meter.Int64ObservableUpDownCounter(g.name, unit, description)
		default:
			instruments[i], err = meter.Int64ObservableCounter(g.name, unit, description)
		}
		all[i], errs = instruments[i], append(errs, err)
	}
	_, err := meter.RegisterCallback(func(_ context.Context, o metric.Observer) error {
		for i, g := range counters {
			o.ObserveInt64(instruments[i], g.value.Load())
		}

		return nil
	}, all...)

	return errors.Join(append(errs, err)...)
}

// Loaded records the duration of a load.
func (m *Metrics) Loaded(ctx context.Context, since time.Time) {
	if m.load.Enabled(ctx) {
		m.load.Record(ctx, time.Since(since).Seconds())
	}
}

// Delivered records the time from the cause of a state to its write. The span is that of the state's load, which
// metrics may have as an exemplar.
func (m *Metrics) Delivered(c Cause, span trace.SpanContext) {
	ctx := context.Background()
	if c.Since.IsZero() || !m.delivery.Enabled(ctx) {
		return
	}
	if span.IsSampled() {
		ctx = trace.ContextWithSpanContext(ctx, span)
	}
	m.delivery.Record(ctx, max(0, time.Since(c.Since)).Seconds())
}
