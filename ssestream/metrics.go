package ssestream

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"go.opentelemetry.io/otel/metric"
)

// scope names this package to OpenTelemetry.
const scope = "github.com/feedmill/feedmill/ssestream"

// metrics is what a router tells OpenTelemetry. What [Stats] counts is only read when it is collected; the two
// histograms are measured while somebody collects them.
type metrics struct {
	meter    metric.Meter
	load     metric.Float64Histogram
	delivery metric.Float64Histogram
}

func newMetrics(provider metric.MeterProvider) (*metrics, error) {
	m := &metrics{meter: provider.Meter(scope)}
	var loadErr, deliveryErr error
	m.load, loadErr = m.meter.Float64Histogram("ssestream.load.duration",
		metric.WithUnit("s"), metric.WithDescription("How long a load of a state took, also one that failed."),
		metric.WithExplicitBucketBoundaries(.0005, .001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10))
	m.delivery, deliveryErr = m.meter.Float64Histogram("ssestream.delivery.duration",
		metric.WithUnit("s"), metric.WithDescription("From a message to the write of the state that it announced, for every client."),
		metric.WithExplicitBucketBoundaries(.0005, .001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10))
	if err := errors.Join(loadErr, deliveryErr); err != nil {
		return nil, fmt.Errorf("make instruments: %w", err)
	}

	return m, nil
}

// observe has the counters collected from now on, also when the router has closed: what they counted last is collected
// after that, and a counter must not go back. All that is kept of the router for it is the counters.
func (m *metrics) observe(c *counters) error {
	var instruments []metric.Observable
	var reads []func(metric.Observer)
	var errs []error
	gauge := func(name, unit, description string, value *atomic.Int64) {
		i, err := m.meter.Int64ObservableUpDownCounter(name, metric.WithUnit(unit), metric.WithDescription(description))
		errs, instruments = append(errs, err), append(instruments, i)
		reads = append(reads, func(o metric.Observer) { o.ObserveInt64(i, value.Load()) })
	}
	counter := func(name, unit, description string, value *atomic.Int64) {
		i, err := m.meter.Int64ObservableCounter(name, metric.WithUnit(unit), metric.WithDescription(description))
		errs, instruments = append(errs, err), append(instruments, i)
		reads = append(reads, func(o metric.Observer) { o.ObserveInt64(i, value.Load()) })
	}
	gauge("ssestream.clients", "{client}", "Open streams.", &c.clients)
	gauge("ssestream.rooms", "{room}", "Keys that open streams follow.", &c.rooms)
	counter("ssestream.loads", "{load}", "Loads of a state.", &c.loads)
	counter("ssestream.load.errors", "{load}", "Loads that failed.", &c.loadErrors)
	counter("ssestream.frames", "{frame}", "Events written to clients.", &c.frames)
	counter("ssestream.io", "By", "Bytes of these events.", &c.bytes)
	counter("ssestream.states.skipped", "{state}", "States that a client was not sent, for a newer one was there.", &c.skipped)
	counter("ssestream.clients.slow", "{client}", "Times that a connection could not take a frame at once.", &c.slow)
	counter("ssestream.clients.refused", "{client}", "Streams turned away because of a limit.", &c.refused)
	counter("ssestream.clients.dropped", "{client}", "Clients disconnected for being too slow.", &c.dropped)
	if err := errors.Join(errs...); err != nil {
		return fmt.Errorf("make instruments: %w", err)
	}
	_, err := m.meter.RegisterCallback(func(_ context.Context, o metric.Observer) error {
		for _, read := range reads {
			read(o)
		}

		return nil
	}, instruments...)
	if err != nil {
		return fmt.Errorf("register instruments: %w", err)
	}

	return nil
}

// loaded records the duration of a load.
func (m *metrics) loaded(ctx context.Context, since time.Time) {
	if m.load.Enabled(ctx) {
		m.load.Record(ctx, time.Since(since).Seconds())
	}
}

// delivered records how long after its message a state was written.
func (m *metrics) delivered(s *state) {
	ctx := context.Background()
	if !s.cause.since.IsZero() && m.delivery.Enabled(ctx) {
		m.delivery.Record(ctx, max(0, time.Since(s.cause.since)).Seconds())
	}
}
