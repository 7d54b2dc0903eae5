package projector

import (
	"slices"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"
	"go.opentelemetry.io/otel/metric"
	"go.opentelemetry.io/otel/trace"

	"github.com/feedmill/feedmill/internal/config"
	"github.com/feedmill/feedmill/internal/telemetry"
)

// Off switches off the fields of Config whose comments name it.
const Off = -1

// Config says what a Projector reads, runs and publishes.
type Config struct {
	// Name identifies the projector in logs, metrics and traces, and in the metadata of poison messages.
	// Defaults to "projector".
	Name string
	// Projection keeps the read model. Required.
	Projection Projection
	// Publisher takes the updates, and the messages for the poison topic. Required.
	Publisher message.Publisher
	// UpdatesTopic receives the projection's updates. Required if it returns any.
	UpdatesTopic string
	// PoisonTopic receives the messages that cannot be applied, with the reason in their metadata. Required with a
	// Subscriber. Defaults to none: Projector.Publish then returns a RefusedError for each.
	PoisonTopic string

	// Subscriber delivers the messages of a broker, at least once. Defaults to none: messages come by
	// Projector.Publish.
	Subscriber message.Subscriber
	// Topics are the topics to subscribe to. A topic that is named twice counts once. Required with a Subscriber.
	Topics []string
	// Subscriptions is the number of subscriptions to each topic. One is right for a Subscriber that delivers many messages
	// at once. Others, such as that for Redis Streams, deliver the next message of a subscription only after the last one
	// was acknowledged. With them a batch has at most one message of each subscription, and a message that fails blocks its
	// subscription. The subscriptions must share the messages, as those of a consumer group do. Each may take a connection
	// of the client. The projector keeps a message that fails for a minute or more, and the broker must not give it to
	// another consumer before. Defaults to 1.
	Subscriptions int
	// Workers is how many batches of the Subscriber's messages are applied at once. Defaults to 1.
	Workers int
	// BatchSize is the largest number of messages of a batch. A batch also ends at limits.MaxBatchBytes. Projector.Publish
	// does not divide its messages. Defaults to 500.
	BatchSize int
	// BatchWait is how long a batch waits for more messages if the batch before had several. Otherwise a message is applied
	// at once. Defaults to 2 milliseconds.
	BatchWait time.Duration
	// MaxAttempts is how often a message of the Subscriber may fail alone, while others are applied, before it goes to
	// the poison topic. 60 attempts take about a minute. Off sends only refused messages there. Defaults to 60.
	MaxAttempts int
	// MinBackoff and MaxBackoff bound the wait after a failure, which doubles each time. They default to 50 milliseconds
	// and 1 second.
	MinBackoff, MaxBackoff time.Duration

	// SweepInterval is the time between two calls of Projection.Sweep. It is longer while sweeps would take more than a
	// tenth of the time. Defaults to one second.
	SweepInterval time.Duration
	// ApplyTimeout bounds a call of Projector.Publish, together with the context of the first message: a relay gives each
	// call a third of its DrainTimeout. Defaults to 5 seconds.
	ApplyTimeout time.Duration
	// CloseTimeout bounds how long Run finishes its batches after its context has ended. Defaults to 10 seconds.
	CloseTimeout time.Duration

	// MeterProvider takes the metrics that the package's comment lists. Defaults to OpenTelemetry's global one.
	MeterProvider metric.MeterProvider
	// TracerProvider takes the spans. Defaults to OpenTelemetry's global one.
	TracerProvider trace.TracerProvider
}

func (c *Config) setDefaults() {
	if c.Name == "" {
		c.Name = "projector"
	}
	var topics []string
	for _, topic := range c.Topics {
		if !slices.Contains(topics, topic) {
			topics = append(topics, topic)
		}
	}
	c.Topics = topics
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
	telemetry.Defaults(&c.MeterProvider, &c.TracerProvider)
}

// Validate joins all problems of the configuration.
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
