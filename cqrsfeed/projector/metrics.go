package projector

import (
	"context"
	"errors"
	"fmt"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"

	"github.com/feedmill/feedmill/cqrsfeed"
)

// Backlogger is an optional interface of a subscriber that knows how many messages wait.
type Backlogger interface {
	// Backlog returns the backlog of the topic: the messages that the consumer of Subscribe has not acknowledged, delivered
	// or not. Projectors that share a consumer get the same. It is called for metrics and for operators, with a context that
	// ends after a second. The error wraps errors.ErrUnsupported if the subscriber does not know.
	Backlog(ctx context.Context, topic string) (Backlog, error)
}

// Backlog counts the messages that wait for a consumer.
type Backlog struct {
	Messages int64
	// Oldest is when the oldest was published, zero if there is none or the time is unknown.
	Oldest time.Time
}

// Add returns the sum of two backlogs.
func (b Backlog) Add(other Backlog) Backlog {
	if b.Oldest.IsZero() || !other.Oldest.IsZero() && other.Oldest.Before(b.Oldest) {
		b.Oldest = other.Oldest
	}
	b.Messages += other.Messages
	return b
}

// projectorMetrics are the instruments of a projector.
type projectorMetrics struct {
	meter     metric.Meter
	projector metric.MeasurementOption

	batchSize                            metric.Int64Histogram
	applyDuration, lag                   metric.Float64Histogram
	failures, poisoned, dropped, refused metric.Int64Counter
}

func newProjectorMetrics(config Config) (*projectorMetrics, error) {
	m := &projectorMetrics{
		meter:     config.MeterProvider.Meter(telemetryScope),
		projector: metric.WithAttributeSet(attribute.NewSet(attribute.String("cqrsfeed.projector", config.Name))),
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

// observe collects the backlog, if there is a Subscriber, and whether the projector is paused, until stop is called.
func (m *projectorMetrics) observe(p *Projector) (stop func(), err error) {
	gauge, backlogErr := m.meter.Int64ObservableGauge("cqrsfeed.projector.backlog", metric.WithUnit("{message}"),
		metric.WithDescription("Messages that are not acknowledged yet."))
	age, ageErr := m.meter.Float64ObservableGauge("cqrsfeed.projector.backlog.age", metric.WithUnit("s"),
		metric.WithDescription("How long the oldest of them waits, if the subscriber tells."))
	paused, pausedErr := m.meter.Int64ObservableGauge("cqrsfeed.projector.paused",
		metric.WithDescription("1 while the projector of this instance is paused, else 0."))
	if err := errors.Join(backlogErr, ageErr, pausedErr); err != nil {
		return nil, fmt.Errorf("make instruments: %w", err)
	}
	registration, err := m.meter.RegisterCallback(func(ctx context.Context, o metric.Observer) error {
		var is int64
		if isPaused, _ := p.pause.now(); isPaused {
			is = 1
		}
		o.ObserveInt64(paused, is, m.projector)
		if p.config.Subscriber == nil {
			return nil
		}
		backlog, told, err := p.backlog(ctx)
		if err == nil {
			o.ObserveInt64(gauge, backlog.Messages, m.projector)
		}
		if told && err == nil {
			o.ObserveFloat64(age, backlog.age(), m.projector)
		}
		return err
	}, gauge, age, paused)
	if err != nil {
		return nil, fmt.Errorf("register instruments: %w", err)
	}
	return func() { _ = registration.Unregister() }, nil
}

// backlogTimeout bounds how long metrics may wait for a broker.
const backlogTimeout = time.Second

// backlog asks the subscriber, or counts the deliveries that are not settled. It reports whether the subscriber has told.
func (p *Projector) backlog(ctx context.Context) (sum Backlog, told bool, err error) {
	subscriber, told := p.config.Subscriber.(Backlogger)
	if !told {
		return Backlog{Messages: p.pending.Load()}, false, nil
	}
	ctx, cancel := context.WithTimeout(ctx, backlogTimeout)
	defer cancel()
	for _, topic := range p.config.Topics {
		backlog, err := subscriber.Backlog(ctx, topic)
		if errors.Is(err, errors.ErrUnsupported) {
			return Backlog{Messages: p.pending.Load()}, false, nil
		}
		if err != nil {
			return Backlog{}, true, fmt.Errorf("projector %q: backlog of topic %q: %w", p.config.Name, topic, err)
		}
		sum = sum.Add(backlog)
	}
	return sum, true, nil
}

// age returns for how many seconds the oldest message waits, 0 for none.
func (b Backlog) age() float64 {
	if b.Oldest.IsZero() {
		return 0
	}
	return max(0, time.Since(b.Oldest).Seconds())
}

func (m *projectorMetrics) attempted(ctx context.Context, since time.Time) {
	if m.applyDuration.Enabled(ctx) {
		m.applyDuration.Record(ctx, time.Since(since).Seconds(), m.projector)
	}
}

func (m *projectorMetrics) count(ctx context.Context, counter metric.Int64Counter) {
	counter.Add(ctx, 1, m.projector)
}

// done records a batch that was applied and whose updates are published. Clocks differ, so the time of an event may be in the
// future.
func (m *projectorMetrics) done(ctx context.Context, batch []*delivery) {
	m.batchSize.Record(ctx, int64(len(batch)), m.projector)
	if !m.lag.Enabled(ctx) {
		return
	}
	for _, d := range batch {
		if happened := cqrsfeed.MessageTime(d.msg); !happened.IsZero() {
			m.lag.Record(ctx, max(0, time.Since(happened).Seconds()), m.projector)
		}
	}
}
