package projector

import (
	"time"

	"github.com/ThreeDotsLabs/watermill/message"
	"go.opentelemetry.io/otel/metric"
	"go.opentelemetry.io/otel/trace"

	"github.com/feedmill/feedmill/cqrsfeed"
	"github.com/feedmill/feedmill/internal/config"
	"github.com/feedmill/feedmill/internal/telemetry"
)

// Off switches off what a field of Config says that it does.
const Off = -1

// Config says what a Projector reads, runs and publishes.
type Config struct {
	// Name tells projectors apart in logs, metrics and traces, and in the metadata of poison messages.
	// Defaults to "projector".
	Name string
	// Projection is run. Required.
	Projection Projection
	// Publisher takes the updates, and the messages for the poison topic. Required.
	Publisher message.Publisher
	// UpdatesTopic is where the projection's updates go. Required if it returns any.
	UpdatesTopic string
	// PoisonTopic is where messages go that cannot be applied, with the reason in their metadata. Required with a
	// Subscriber. Defaults to none: Projector.Publish returns a RefusedError for each.
	PoisonTopic string

	// Subscriber delivers the messages of a broker, at least once. Defaults to none: messages come by
	// Projector.Publish.
	Subscriber message.Subscriber
	// Topics are subscribed to. Required with a Subscriber.
	Topics []string
	// Subscriptions is how often each topic is subscribed to. A Subscriber whose subscription delivers the next message
	// only after the last one was acknowledged, as for Redis Streams, needs several: so many messages come at once,
	// form batches, and go on beside one that fails. The subscriptions must share the messages, as those of a consumer
	// group do. Each may take a connection of the client. A message that fails is kept for a minute or more before it
	// is set aside, which must be less than the time after which the broker gives it to another consumer. Defaults to
	// 1, which is right for a Subscriber that delivers many messages at once.
	Subscriptions int
	// Workers is how many batches of the Subscriber's messages are applied at once. Defaults to 1.
	Workers int
	// BatchSize is the most messages of a batch. Projector.Publish does not divide what it is given. Defaults to 500.
	BatchSize int
	// BatchWait is how long a batch that follows one of several messages waits for more. A message that comes alone is
	// applied at once. Defaults to 2 milliseconds.
	BatchWait time.Duration
	// MaxAttempts is how often a message of the Subscriber may fail alone, while others are applied, before it goes to
	// the poison topic. As waits double, 60 attempts take about a minute. With Off only refused messages go
	// there. Defaults to 60.
	MaxAttempts int
	// MinBackoff and MaxBackoff bound the wait after a failure, which doubles in between. They default to 50 milliseconds
	// and 1 second.
	MinBackoff, MaxBackoff time.Duration

	// SweepInterval is how often Projection.Sweep is called, or less often if sweeps would take more than a tenth of the time.
	// Defaults to one second.
	SweepInterval time.Duration
	// ApplyTimeout bounds a call of Projector.Publish, together with the context of the first message: a relay gives each
	// call a third of its DrainTimeout. Defaults to 5 seconds.
	ApplyTimeout time.Duration
	// CloseTimeout bounds how long batches at hand may go on after Run's context has ended. Defaults to 10 seconds.
	CloseTimeout time.Duration

	// EventTime returns when the event of a message happened, for the metric of the lag. Messages for which it is the
	// zero time are not measured. Defaults to MessageTime, which reads what NewMessage wrote.
	EventTime func(*message.Message) time.Time
	// MeterProvider takes the metrics that the package's comment lists. Defaults to OpenTelemetry's global one.
	MeterProvider metric.MeterProvider
	// TracerProvider takes the spans. Defaults to OpenTelemetry's global one.
	TracerProvider trace.TracerProvider
}

func (c *Config) setDefaults() {
	if c.Name == "" {
		c.Name = "projector"
	}
	config.Default(&c.Subscriptions, 1)
	config.Default(&c.Workers, 1)
	config.Default(&c.BatchSize, 500)
	config.Default(&c.BatchWait, 2*time.Millisecond)
	config.Default(&c.SweepInterval, time.Second)
	config.Default(&c.MaxAttempts, 60)
	config.Default(&c.MinBackoff, 50*time.Millisecond)
	config.Default(&c.MaxBackoff, max(time.Second, c.MinBackoff))
	config.Default(&c.CloseTimeout, 10*time.Second)
	config.Default(&c.ApplyTimeout, 5*time.Second)
	if c.EventTime == nil {
		c.EventTime = cqrsfeed.MessageTime
	}
	telemetry.Defaults(&c.MeterProvider, &c.TracerProvider)
}

// Validate joins what is wrong with the configuration.
func (c Config) Validate() error {
	var p config.Problems
	if c.Subscriber == nil {
		p.Check(len(c.Topics) == 0, "Subscriber is missing, there are Topics")
		p.Check(c.Subscriptions <= 1, "Subscriber is missing, Subscriptions is %d", c.Subscriptions)
	} else {
		p.Require(len(c.Topics) > 0, "Topics")
		p.Require(c.PoisonTopic != "", "PoisonTopic")
	}
	for i, topic := range c.Topics {
		p.Check(topic != "", "Topics[%d] is empty", i)
	}
	config.NotNegative(&p, "Subscriptions", c.Subscriptions)
	p.Require(c.Projection != nil, "Projection")
	p.Check(c.Publisher != nil || c.UpdatesTopic == "" && c.PoisonTopic == "", "Publisher is missing, there is an UpdatesTopic or a PoisonTopic")
	config.NotNegative(&p, "Workers", c.Workers)
	config.NotNegative(&p, "BatchSize", c.BatchSize)
	config.NotNegative(&p, "BatchWait", c.BatchWait)
	config.NotNegative(&p, "SweepInterval", c.SweepInterval)
	if c.MaxAttempts != Off {
		config.NotNegative(&p, "MaxAttempts", c.MaxAttempts)
	}
	config.Bounds(&p, "MinBackoff", c.MinBackoff, "MaxBackoff", c.MaxBackoff)
	config.NotNegative(&p, "ApplyTimeout", c.ApplyTimeout)
	config.NotNegative(&p, "CloseTimeout", c.CloseTimeout)
	return p.Join()
}
