package outbox

import (
	"errors"
	"fmt"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"
	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/metric"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/trace"

	"github.com/feedmill/feedmill/internal/config"
)

// Off as MaxAttempts of a relay has only those messages parked that the publisher marks as refused.
const Off = -1

// RelayConfig says what a Relay reads from and writes to.
type RelayConfig struct {
	// Name tells relays apart in logs and metrics. Defaults to "relay".
	Name string
	// Outbox is drained. Where it is also an Operations, its backlog is among the metrics. Required.
	Outbox Outbox
	// Publisher is written to; a message counts as published when Publish returned nil. Required.
	Publisher message.Publisher
	// BatchSize is how many messages one transaction takes. Defaults to 100.
	BatchSize int
	// MinPollInterval and PollInterval bound how long the relay waits before it looks at the outbox without a
	// wake-up, for messages that other processes committed. The wait begins with MinPollInterval after a look
	// that found some, and doubles with each that finds none. They default to 10 milliseconds, or
	// PollInterval where that is shorter, and to one second.
	MinPollInterval, PollInterval time.Duration
	// MaxAttempts is how often in a row a message may fail alone, with an error that is no RefusedError,
	// before the relay finds out whether the broker takes others instead: if it does, and still not this one,
	// the message is parked. As waits double, 60 attempts take about three quarters of a minute. Off
	// goes on trying for ever. Defaults to 60.
	MaxAttempts int
	// MaxLook is how many messages one transaction takes at most where the first ones had their MaxAttempts and
	// nothing behind them in the batch was taken either: the relay then takes twice as many with each attempt, to
	// find one that the broker takes. All of them are in memory meanwhile. Where as many messages as this are
	// refused without a mark and wait in front of all others, the relay takes the broker for one that is away:
	// nothing is parked, and they hold up the outbox. Defaults to 10,000, or BatchSize where that is more.
	MaxLook int
	// DrainTimeout bounds the store's part of one batch, and ends a batch early when the broker is slow: what is
	// published by then leaves the outbox. Publish, which takes no context, has to bound itself. A batch that was
	// begun is finished even when Run's context ends, so that a stop does not publish a batch twice. It has to be
	// shorter than the database is patient with a transaction that is silent while its messages are published (see
	// mysqlstore's package comment). Defaults to 10 seconds.
	DrainTimeout time.Duration
	// MinBackoff and MaxBackoff bound the wait after a failure of the store or the broker; it doubles in
	// between. They default to 50 milliseconds and 1 second.
	MinBackoff, MaxBackoff time.Duration

	// MeterProvider takes the relay's metrics, which the Relay's comment lists. Defaults to OpenTelemetry's
	// global one.
	MeterProvider metric.MeterProvider
	// TracerProvider takes a span for the publishing of each message whose own trace is sampled. Defaults to
	// OpenTelemetry's global one.
	TracerProvider trace.TracerProvider
	// Propagator reads the trace context out of a message's metadata. Defaults to that of W3C (traceparent).
	Propagator propagation.TextMapPropagator
}

func (c *RelayConfig) setDefaults() {
	config.Default(&c.Name, "relay")
	config.Default(&c.BatchSize, 100)
	config.Default(&c.PollInterval, time.Second)
	config.Default(&c.MinPollInterval, min(10*time.Millisecond, c.PollInterval))
	config.Default(&c.MaxAttempts, 60)
	config.Default(&c.MaxLook, max(10_000, c.BatchSize))
	config.Default(&c.DrainTimeout, 10*time.Second)
	config.Default(&c.MinBackoff, 50*time.Millisecond)
	config.Default(&c.MaxBackoff, max(time.Second, c.MinBackoff))
	if c.MeterProvider == nil {
		c.MeterProvider = otel.GetMeterProvider()
	}
	if c.TracerProvider == nil {
		c.TracerProvider = otel.GetTracerProvider()
	}
	if c.Propagator == nil {
		c.Propagator = propagation.TraceContext{}
	}
}

// Validate joins what is wrong with the configuration.
func (c RelayConfig) Validate() error {
	var problems []error
	problem := func(wrong bool, format string, args ...any) {
		if wrong {
			problems = append(problems, fmt.Errorf(format, args...))
		}
	}
	problem(c.Outbox == nil, "no Outbox")
	problem(c.Publisher == nil, "no Publisher")
	problem(c.BatchSize < 0, "BatchSize is %d, it must be positive", c.BatchSize)
	problem(c.MaxAttempts < 0 && c.MaxAttempts != Off, "MaxAttempts is %d, it must be positive or NeverPark", c.MaxAttempts)
	problem(c.MaxLook < 0, "MaxLook is %d, it must be positive", c.MaxLook)
	problem(c.MaxLook > 0 && c.MaxLook < c.BatchSize, "MaxLook %d is less than BatchSize %d", c.MaxLook, c.BatchSize)
	for _, bounds := range []struct {
		least, most           string
		leastValue, mostValue time.Duration
	}{
		{"MinPollInterval", "PollInterval", c.MinPollInterval, c.PollInterval},
		{"MinBackoff", "MaxBackoff", c.MinBackoff, c.MaxBackoff},
		{"DrainTimeout", "DrainTimeout", c.DrainTimeout, c.DrainTimeout},
	} {
		problem(bounds.leastValue < 0, "%s is %s, it must be positive", bounds.least, bounds.leastValue)
		problem(bounds.mostValue < 0 && bounds.most != bounds.least, "%s is %s, it must be positive", bounds.most, bounds.mostValue)
		problem(bounds.mostValue > 0 && bounds.mostValue < bounds.leastValue,
			"%s %s is less than %s %s", bounds.most, bounds.mostValue, bounds.least, bounds.leastValue)
	}
	return errors.Join(problems...)
}
