package cqrsfeed

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/ThreeDotsLabs/watermill"
	"github.com/ThreeDotsLabs/watermill/message"
)

// RelayConfig says what a Relay reads from and writes to.
type RelayConfig struct {
	// Outbox is drained. Required.
	Outbox Outbox
	// Publisher is written to; a message counts as published when Publish returned nil. Required.
	Publisher message.Publisher
	// BatchSize is how many messages one transaction takes. Defaults to 100.
	BatchSize int
	// PollInterval is how often the outbox is looked at without a wake-up, for messages that other
	// processes committed. Defaults to one second.
	PollInterval time.Duration
	// DrainTimeout bounds the store's part of one batch; Publish, which takes no context, has to bound
	// itself. A batch that was begun is finished even when Run's context ends, so that a stop does not
	// publish a batch twice. Defaults to 30 seconds.
	DrainTimeout time.Duration
	// MinBackoff and MaxBackoff bound the wait after a failure of the store or the broker; it doubles in
	// between. They default to 50 milliseconds and 1 second.
	MinBackoff, MaxBackoff time.Duration
}

func (c *RelayConfig) setDefaults() {
	if c.BatchSize == 0 {
		c.BatchSize = 100
	}
	if c.PollInterval == 0 {
		c.PollInterval = time.Second
	}
	if c.DrainTimeout == 0 {
		c.DrainTimeout = 30 * time.Second
	}
	if c.MinBackoff == 0 {
		c.MinBackoff = 50 * time.Millisecond
	}
	if c.MaxBackoff == 0 {
		c.MaxBackoff = max(time.Second, c.MinBackoff)
	}
}

// Validate joins what is wrong with the configuration.
func (c RelayConfig) Validate() error {
	var problems []error
	if c.Outbox == nil {
		problems = append(problems, errors.New("no Outbox"))
	}
	if c.Publisher == nil {
		problems = append(problems, errors.New("no Publisher"))
	}
	if c.BatchSize < 0 {
		problems = append(problems, fmt.Errorf("BatchSize is %d, it must be positive", c.BatchSize))
	}
	for _, d := range []struct {
		name  string
		value time.Duration
	}{
		{"PollInterval", c.PollInterval},
		{"DrainTimeout", c.DrainTimeout},
		{"MinBackoff", c.MinBackoff},
		{"MaxBackoff", c.MaxBackoff},
	} {
		if d.value < 0 {
			problems = append(problems, fmt.Errorf("%s is %s, it must be positive", d.name, d.value))
		}
	}
	if c.MaxBackoff != 0 && c.MaxBackoff < c.MinBackoff {
		problems = append(problems, fmt.Errorf("MaxBackoff %s is less than MinBackoff %s", c.MaxBackoff, c.MinBackoff))
	}
	return errors.Join(problems...)
}

// Relay publishes an outbox: at least once, in the order of the outbox except for what failed and came
// again, deleting only what the broker acknowledged. While the broker or the store is away it retries with
// backoff and loses nothing.
//
// A message that the broker refuses for good, such as one that is too large for it, holds up those behind it
// until it can be published: nothing is skipped. Keep the application's largest event below the broker's limit.
//
// Any number of relays may run on one outbox. The order then holds within each relay's batches.
type Relay struct {
	config RelayConfig
	logger watermill.LoggerAdapter
}

// NewRelay checks the configuration; it starts nothing. A nil logger logs nothing.
func NewRelay(config RelayConfig, logger watermill.LoggerAdapter) (*Relay, error) {
	config.setDefaults()
	if err := config.Validate(); err != nil {
		return nil, fmt.Errorf("relay config: %w", err)
	}
	if logger == nil {
		logger = watermill.NopLogger{}
	}
	return &Relay{config: config, logger: logger}, nil
}

// Run publishes until ctx ends, finishes the batch at hand, and returns nil. It owns no goroutine.
func (r *Relay) Run(ctx context.Context) error {
	poll := time.NewTicker(r.config.PollInterval)
	defer poll.Stop()
	failing := backoff{least: r.config.MinBackoff, most: r.config.MaxBackoff}

	for ctx.Err() == nil {
		taken, err := r.drain(ctx)
		if err != nil {
			r.logger.Error("Relay could not publish the outbox, will retry", err, nil)
			failing.wait(ctx)
			continue
		}
		failing.reset()
		if taken >= r.config.BatchSize {
			continue // there may be more: do not sleep on a full batch
		}
		select {
		case <-r.config.Outbox.Wake():
		case <-poll.C:
		case <-ctx.Done():
		}
	}
	return nil
}

// drain moves one batch. Its error covers both sides, the store and the broker.
func (r *Relay) drain(ctx context.Context) (int, error) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), r.config.DrainTimeout)
	defer cancel()

	var refused error
	taken, err := r.config.Outbox.Drain(ctx, r.config.BatchSize, func(_ context.Context, batch []OutboxMessage) []error {
		var errs []error
		errs, refused = r.publish(batch)
		return errs
	})
	if err != nil {
		return taken, fmt.Errorf("drain outbox: %w", err)
	}
	return taken, refused
}

// publish hands runs of equal topics to the publisher, in order. After a failure nothing further is
// published, so that what comes again does not fall behind its successors.
func (r *Relay) publish(batch []OutboxMessage) ([]error, error) {
	errs := make([]error, len(batch))
	for start := 0; start < len(batch); {
		end := start
		var run []*message.Message
		for ; end < len(batch) && batch[end].Topic == batch[start].Topic; end++ {
			run = append(run, batch[end].Message)
		}
		if err := r.config.Publisher.Publish(batch[start].Topic, run...); err != nil {
			err = fmt.Errorf("publish %d messages to topic %q: %w", len(run), batch[start].Topic, err)
			for i := start; i < len(batch); i++ {
				errs[i] = err
			}
			return errs, err
		}
		start = end
	}
	return errs, nil
}
