package outbox

import (
	"time"

	"github.com/ThreeDotsLabs/watermill/message"
	"go.opentelemetry.io/otel/metric"
	"go.opentelemetry.io/otel/trace"

	"github.com/feedmill/feedmill/internal/config"
	"github.com/feedmill/feedmill/internal/telemetry"
)

// Off switches off a field whose comment names it.
const Off = -1

// RelayConfig configures a Relay.
type RelayConfig struct {
	// Name identifies the relay in logs and metrics. Defaults to "relay".
	Name string
	// Outbox is drained. Its backlog is part of the metrics. Required.
	Outbox Outbox
	// Publisher publishes the messages. A message counts as published when Publish returned nil. Required.
	Publisher message.Publisher
	// BatchSize is the largest number of messages of a transaction. A batch also ends at limits.MaxBatchBytes. Defaults to
	// 100.
	BatchSize int
	// PollInterval is the longest time between two reads of the outbox without a wake-up, for messages that other processes
	// committed. The wait is 10 milliseconds after a poll that found messages, and doubles with each that found none.
	// Defaults to 1 second.
	PollInterval time.Duration
	// MaxAttempts is how often publishing a message alone may fail, with an error that is no RefusedError, before the
	// relay parks it, provided that its topic takes other messages. Off parks only refused messages. Defaults to 10,
	// which takes about seven seconds.
	MaxAttempts int
	// DrainTimeout bounds how long one batch keeps its rows. After it the relay does not call Publish again, and deletes
	// what was published. Each call of Publish may take a third of it: the context of the messages ends then. It must be
	// shorter than the time after which the database ends an idle transaction (see package mysqlstore). Defaults to 10
	// seconds.
	DrainTimeout time.Duration
	// MinBackoff and MaxBackoff bound the wait after a failure of the store or of a topic. The wait doubles each time. A
	// topic waits at least as long as its failing calls took. They default to 50 milliseconds and 1 second.
	MinBackoff, MaxBackoff time.Duration

	// MeterProvider receives the metrics that docs/outbox.md lists. Defaults to OpenTelemetry's global one.
	MeterProvider metric.MeterProvider
	// TracerProvider receives a span for each published message whose trace is sampled. Defaults to
	// OpenTelemetry's global one.
	TracerProvider trace.TracerProvider
}

func (c *RelayConfig) setDefaults() {
	config.Default(&c.Name, "relay")
	config.Default(&c.BatchSize, 100)
	config.Default(&c.PollInterval, time.Second)
	config.Default(&c.MaxAttempts, 10)
	config.Default(&c.DrainTimeout, 10*time.Second)
	config.Default(&c.MinBackoff, 50*time.Millisecond)
	config.Default(&c.MaxBackoff, max(time.Second, c.MinBackoff))
	telemetry.Defaults(&c.MeterProvider, &c.TracerProvider)
}

// Validate joins all problems of the configuration.
func (c RelayConfig) Validate() error {
	var problems config.Problems
	problems.Require(c.Outbox != nil, "Outbox")
	problems.Require(c.Publisher != nil, "Publisher")
	config.NotNegative(&problems, "BatchSize", c.BatchSize)
	config.NotNegative(&problems, "PollInterval", c.PollInterval)
	problems.Check(c.MaxAttempts >= Off, "MaxAttempts is %d, it must not be negative, except for Off", c.MaxAttempts)
	config.NotNegative(&problems, "DrainTimeout", c.DrainTimeout)
	config.Bounds(&problems, "MinBackoff", c.MinBackoff, "MaxBackoff", c.MaxBackoff)
	return problems.Join()
}
