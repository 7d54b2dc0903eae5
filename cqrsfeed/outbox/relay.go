package outbox

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/ThreeDotsLabs/watermill"

	"github.com/feedmill/feedmill/internal/backoff"
	"github.com/feedmill/feedmill/internal/telemetry"
)

// Relay publishes an outbox: at least once, in the order of the outbox except for what failed and came
// again, deleting only what the broker acknowledged. A commit of the same process wakes it at once; it polls
// only for those of others. While the broker or the store is away it retries with backoff and loses nothing.
//
// # Order
//
// Messages of one topic that follow each other in a batch are handed to the publisher together. At the first
// failure the rest of the batch stays in the outbox, so that nothing overtakes it; it then comes again one
// message at a time, until a whole batch went well, so that a message which fails by itself is found. Any
// number of relays may run on one outbox; the order then holds within each relay's batches.
//
// # Messages that the broker refuses
//
// A message that can never be published does not hold up the others. It is parked: the store sets it aside
// with the reason, in the transaction that deletes what was acknowledged, and Operations lists it and
// returns it to the queue. That happens to what the publisher marks with a RefusedError, at once; and to a
// message that failed alone MaxAttempts times, when the broker then takes another message and once more not
// this one. While the broker takes nothing, nothing is parked, and when it takes something again the attempts
// that failed meanwhile are forgotten, once for a topic. Another message is looked for in the batch, and
// where the batch holds none that is taken, in larger and larger ones, up to MaxLook messages. It is one of
// another topic if possible, which overtakes none of its own.
//
// A topic that the broker does not have is not waited for again with each of its messages: once one of them was
// parked that way, the others are when they failed twice and a message of another topic was taken in between,
// until one of them is taken. A relay that was started anew counts anew.
//
// # Metrics and traces
//
//   - cqrsfeed.outbox.depth, .age, .parked: how many messages wait, for how many seconds the oldest has, and how
//     many are parked. They are asked of the store when they are collected, and only then, where it is an
//     Operations, and left out when it does not answer within a second. Every relay of an outbox reports
//     the same: they are not to be added up.
//   - cqrsfeed.relay.published, .parked: messages that the broker acknowledged, and that were parked.
//   - cqrsfeed.relay.failures: batches that could not be published or deleted, or not all of them.
//   - cqrsfeed.relay.publish.duration: seconds that a call of Publish took.
//   - cqrsfeed.relay.latency: seconds from when a message was put into the outbox to its acknowledgement.
//
// All have the attribute cqrsfeed.relay with the relay's Name. Messages are published with their metadata as it
// is; one that carries a sampled trace context has a span "cqrsfeed publish" below it.
type Relay struct {
	config  RelayConfig
	logger  watermill.LoggerAdapter
	metrics *relayMetrics
	traces  *relayTraces
}

// NewRelay checks the configuration; it starts nothing. A nil logger logs through slog.Default.
func NewRelay(config RelayConfig, logger watermill.LoggerAdapter) (*Relay, error) {
	config.setDefaults()
	if err := config.Validate(); err != nil {
		return nil, fmt.Errorf("relay config: %w", err)
	}
	logger = telemetry.Logger(logger)
	metrics, err := newRelayMetrics(config.MeterProvider, config.Name)
	if err != nil {
		return nil, fmt.Errorf("relay metrics: %w", err)
	}
	return &Relay{
		config:  config,
		logger:  logger.With(watermill.LogFields{"relay": config.Name}),
		metrics: metrics,
		traces:  newRelayTraces(config),
	}, nil
}

// Run publishes until ctx ends, finishes what the broker has at hand, and returns nil; an error means that it
// could not begin. It owns no goroutine.
func (r *Relay) Run(ctx context.Context) (err error) {
	operations, _ := r.config.Outbox.(Operations)
	stopObserving, err := r.metrics.observe(operations)
	if err != nil {
		return fmt.Errorf("relay metrics: %w", err)
	}
	r.metrics.begin(ctx)
	defer func() { err = errors.Join(err, stopObserving()) }()

	failing := backoff.Backoff{Min: r.config.MinBackoff, Max: r.config.MaxBackoff}
	poll := pollInterval{least: r.config.MinPollInterval, most: r.config.PollInterval, next: r.config.MinPollInterval}
	courier := newCourier(r)
	polled := true // whatever is there at the start, no wake-up told of it
	for ctx.Err() == nil {
		found, more, err := r.drain(ctx, courier, &failing)
		if err != nil {
			r.metrics.failed(ctx)
			r.logger.Error("Relay could not publish the outbox, will retry", err, nil)
			failing.Wait(ctx)
			continue
		}
		if polled {
			poll.looked(found)
		}
		polled = false
		if !more {
			polled = poll.wait(ctx, r.config.Outbox.Wake())
		}
	}
	return nil
}

// drain moves one batch. It says whether there was any message, and whether there may be more, as after a full
// batch. Its error covers both sides, the store and the broker; when something left the outbox all the same, the
// next wait is a short one.
func (r *Relay) drain(ctx context.Context, courier *courier, failing *backoff.Backoff) (found, more bool, err error) {
	stopping := ctx.Done()
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), r.config.DrainTimeout)
	defer cancel()

	d := &consignment{}
	limit := courier.look
	taken, err := r.config.Outbox.Drain(ctx, limit, nil, func(ctx context.Context, batch []Message) []Result {
		d = courier.deliver(ctx, stopping, batch)
		return d.results
	})
	if err != nil {
		courier.look = r.config.BatchSize // it may have been too much
		return false, false, fmt.Errorf("drain outbox: %w", err)
	}
	r.reportParked(ctx, d.parked)
	r.reportUndecoded(ctx, taken-len(d.batch))
	if d.failure == nil || d.settled > 0 {
		failing.Reset()
	}
	return taken > 0, taken >= limit || d.cut, d.failure
}

func (r *Relay) reportParked(ctx context.Context, parked []parkedMessage) {
	for _, p := range parked {
		r.logger.Error("Relay parked a message that the broker refuses", p.reason,
			watermill.LogFields{"message_uuid": p.uuid, "topic": p.topic, "attempts": p.attempts})
	}
	r.metrics.parked(ctx, len(parked))
}

// reportUndecoded tells of what the store took and did not hand out: it has parked it.
func (r *Relay) reportUndecoded(ctx context.Context, messages int) {
	if messages > 0 {
		r.logger.Error("Outbox parked messages that it cannot decode", errUndecoded, watermill.LogFields{"messages": messages})
		r.metrics.parked(ctx, messages)
	}
}

// errUndecoded is what there is to say of messages that only the store has seen.
var errUndecoded = errors.New("their reasons are with them: see OutboxOperations.Parked")

// pollInterval is how long to wait for a wake-up: short while messages come without one, and then longer and
// longer.
type pollInterval struct{ least, most, next time.Duration }

// looked takes in what a look without a wake-up found.
func (p *pollInterval) looked(found bool) {
	if found {
		p.next = p.least
	} else {
		p.next = min(2*p.next, p.most)
	}
}

// wait ends with a wake-up, the interval or ctx, and reports whether it was the interval.
func (p *pollInterval) wait(ctx context.Context, wake <-chan struct{}) (elapsed bool) {
	timer := time.NewTimer(p.next)
	defer timer.Stop()
	select {
	case <-wake:
		return false
	case <-ctx.Done():
		return false
	case <-timer.C:
		return true
	}
}
