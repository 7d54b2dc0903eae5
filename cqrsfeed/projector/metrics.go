package projector

import (
	"context"
	"errors"
	"fmt"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"
)

// Backlogger is an optional interface of a subscriber that can tell how much it has still to deliver.
type Backlogger interface {
	// Backlog returns how many messages of the topic were published and not yet acknowledged by the consumer that Subscribe
	// stands for, delivered or not. Projectors that share a consumer get the same number. It is called when metrics
	// are collected, with a context that ends after a second.
	Backlog(ctx context.Context, topic string) (int64, error)
}

// projectorMetrics are the instruments of a projector.
type projectorMetrics struct {
	meter     metric.Meter
	projector metric.MeasurementOption
	eventTime func(d *delivery) time.Time

	batchSize                            metric.Int64Histogram
	applyDuration, lag                   metric.Float64Histogram
	failures, poisoned, dropped, refused metric.Int64Counter
}

func newProjectorMetrics(config Config) (*projectorMetrics, error) {
	m := &projectorMetrics{
		meter:     config.MeterProvider.Meter(telemetryScope),
		projector: metric.WithAttributeSet(attribute.NewSet(attribute.String("cqrsfeed.projector", config.Name))),
		eventTime: func(d *delivery) (happened time.Time) {
			defer func() { _ = recover() }() // the message is applied, only the measurement is lost
			return config.EventTime(d.msg)
		},
	}
	var errs [3]error
	m.batchSize, errs[0] = m.meter.Int64Histogram("cqrsfeed.projector.batch.size", metric.WithUnit("{message}"),
		metric.WithDescription("Messages of a batch that was applied."),
		metric.WithExplicitBucketBoundaries(1, 2, 5, 10, 20, 50, 100, 200, 500, 1000))
	m.applyDuration, errs[1] = m.meter.Float64Histogram("cqrsfeed.projector.apply.duration", metric.WithUnit("s"),
		metric.WithDescription("How long an attempt to apply a batch took, failed or not."),
		metric.WithExplicitBucketBoundaries(.0005, .001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10))
	m.lag, errs[2] = m.meter.Float64Histogram("cqrsfeed.projector.lag", metric.WithUnit("s"),
		metric.WithDescription("From an event to the publication of its updates."),
		metric.WithExplicitBucketBoundaries(.001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 30, 60, 300, 3600))
	err := errors.Join(errs[:]...)
	for _, c := range []struct {
		counter                 *metric.Int64Counter
		name, unit, description string
	}{
		{&m.failures, "failures", "{attempt}", "Attempts to apply a batch that failed."},
		{&m.poisoned, "poison", "{message}", "Messages published to the poison topic because they cannot be applied."},
		{&m.dropped, "dropped", "{message}", "Messages acknowledged although the poison topic refuses them too."},
		{&m.refused, "updates.refused", "{message}", "Updates left out because the publisher refuses them."},
	} {
		counter, failure := m.meter.Int64Counter("cqrsfeed.projector."+c.name, metric.WithUnit(c.unit), metric.WithDescription(c.description))
		*c.counter, err = counter, errors.Join(err, failure)
	}
	if err != nil {
		return nil, fmt.Errorf("make instruments: %w", err)
	}
	return m, nil
}

// begin initialises all counters to zero, so that alerts see the first increment.
func (m *projectorMetrics) begin(ctx context.Context) {
	for _, counter := range []metric.Int64Counter{m.failures, m.poisoned, m.dropped, m.refused} {
		counter.Add(ctx, 0, m.projector)
	}
}

// observe collects the backlog until stop is called.
func (m *projectorMetrics) observe(backlog func(context.Context) (int64, error)) (stop func(), err error) {
	gauge, err := m.meter.Int64ObservableGauge("cqrsfeed.projector.backlog", metric.WithUnit("{message}"),
		metric.WithDescription("Messages that are not acknowledged yet."))
	if err != nil {
		return nil, fmt.Errorf("make instruments: %w", err)
	}
	registration, err := m.meter.RegisterCallback(func(ctx context.Context, o metric.Observer) error {
		n, err := backlog(ctx)
		if err == nil {
			o.ObserveInt64(gauge, n, m.projector)
		}
		return err
	}, gauge)
	if err != nil {
		return nil, fmt.Errorf("register instruments: %w", err)
	}
	return func() { _ = registration.Unregister() }, nil // it is not registered anywhere else
}

// backlogTimeout bounds how long metrics may wait for a broker.
const backlogTimeout = time.Second

// backlog asks the subscriber, or counts the deliveries that are not settled.
func (p *Projector) backlog(ctx context.Context) (int64, error) {
	subscriber, ok := p.config.Subscriber.(Backlogger)
	if !ok {
		return p.pending.Load(), nil
	}
	ctx, cancel := context.WithTimeout(ctx, backlogTimeout)
	defer cancel()
	var sum int64
	for _, topic := range p.config.Topics {
		n, err := subscriber.Backlog(ctx, topic)
		if err != nil {
			return 0, fmt.Errorf("projector %q: backlog of topic %q: %w", p.config.Name, topic, err)
		}
		sum += n
	}
	return sum, nil
}

func (m *projectorMetrics) attempted(ctx context.Context, since time.Time) {
	if m.applyDuration.Enabled(ctx) {
		m.applyDuration.Record(ctx, time.Since(since).Seconds(), m.projector)
	}
}

func (m *projectorMetrics) count(ctx context.Context, counter metric.Int64Counter) {
	counter.Add(ctx, 1, m.projector)
}

// done records a batch that was applied and whose updates are published. Clocks differ, so an event may seem to lie in
// the future.
func (m *projectorMetrics) done(ctx context.Context, batch []*delivery) {
	m.batchSize.Record(ctx, int64(len(batch)), m.projector)
	if !m.lag.Enabled(ctx) {
		return
	}
	for _, d := range batch {
		if happened := m.eventTime(d); !happened.IsZero() {
			m.lag.Record(ctx, max(0, time.Since(happened).Seconds()), m.projector)
		}
	}
}
