package natspubsub

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/nats-io/nats.go/jetstream"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"
)

// scope is the name of the package for OpenTelemetry.
const scope = "github.com/feedmill/feedmill/adapters/natspubsub"

// observeTimeout is the maximum time that a collection of metrics waits for the broker.
const observeTimeout = time.Second

// gauges are the instruments of a stream.
type gauges struct {
	messages, headroom, unread, bytes metric.Int64ObservableGauge
	age                               metric.Float64ObservableGauge
}

// observe registers callbacks that read the stream's state from the broker when metrics are collected, until end is
// called.
func (s *Stream) observe(provider metric.MeterProvider) (end func(), err error) {
	meter := provider.Meter(scope)
	var g gauges
	var errs [5]error
	g.messages, errs[0] = meter.Int64ObservableGauge("natspubsub.topic.messages",
		metric.WithUnit("{message}"), metric.WithDescription("Messages of a topic in the stream, read or not."))
	g.headroom, errs[1] = meter.Int64ObservableGauge("natspubsub.topic.headroom",
		metric.WithUnit("{message}"), metric.WithDescription("How many more messages of a topic the stream takes."))
	g.unread, errs[2] = meter.Int64ObservableGauge("natspubsub.topic.unread",
		metric.WithUnit("{message}"), metric.WithDescription("Messages that a durable consumer has not acknowledged."))
	g.age, errs[3] = meter.Float64ObservableGauge("natspubsub.topic.unread.age",
		metric.WithUnit("s"), metric.WithDescription("How long the oldest of them has been in the stream."))
	g.bytes, errs[4] = meter.Int64ObservableGauge("natspubsub.stream.headroom",
		metric.WithUnit("By"), metric.WithDescription("How much more the stream takes, if MaxBytes limits it."))
	if err := errors.Join(errs[:]...); err != nil {
		return nil, fmt.Errorf("make instruments: %w", err)
	}
	registration, err := meter.RegisterCallback(func(ctx context.Context, o metric.Observer) error {
		ctx, cancel := context.WithTimeout(ctx, observeTimeout)
		defer cancel()
		return s.measure(ctx, o, g)
	}, g.messages, g.headroom, g.unread, g.age, g.bytes)
	if err != nil {
		return nil, fmt.Errorf("register instruments: %w", err)
	}
	return func() { _ = registration.Unregister() }, nil // it is not registered anywhere else
}

func (s *Stream) measure(ctx context.Context, o metric.Observer, g gauges) error {
	found, err := s.survey(ctx)
	if err != nil {
		return err
	}
	stream := attribute.String("natspubsub.stream", s.config.Name)
	if most := found.stream.Config.MaxBytes; most > 0 {
		o.ObserveInt64(g.bytes, most-int64(found.stream.State.Bytes), metric.WithAttributes(stream)) //nolint:gosec // less than most
	}
	for _, t := range found.topics {
		topic := attribute.String("natspubsub.topic", s.topicOf(t.subject))
		o.ObserveInt64(g.messages, t.messages, metric.WithAttributes(stream, topic))
		if t.most > 0 {
			o.ObserveInt64(g.headroom, t.most-t.messages, metric.WithAttributes(stream, topic))
		}
		for _, consumer := range t.durable {
			if consumer.Config.FilterSubject != t.subject {
				continue // its numbers are those of several topics
			}
			age := 0.0
			stored, _, err := s.oldest(ctx, t.subject, consumer.AckFloor.Stream+1)
			switch {
			case err == nil:
				age = max(0, time.Since(stored).Seconds())
			case !errors.Is(err, jetstream.ErrMsgNotFound):
				return fmt.Errorf("look up the oldest message of topic %q: %w", s.topicOf(t.subject), err)
			}
			which := metric.WithAttributes(stream, topic, attribute.String("natspubsub.consumer", consumer.Name))
			o.ObserveInt64(g.unread, unread(consumer), which)
			o.ObserveFloat64(g.age, age, which)
		}
	}
	return nil
}
