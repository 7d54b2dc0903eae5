package outbox

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/ThreeDotsLabs/watermill"

	"github.com/feedmill/feedmill/cqrsfeed/limits"
	"github.com/feedmill/feedmill/internal/backoff"
	"github.com/feedmill/feedmill/internal/telemetry"
)

// Relay publishes the messages of an outbox, at least once. A commit of the same process wakes it; commits of others
// are found by polling. Any number of relays may run on one outbox.
//
// A topic that fails waits, with backoff, while others go on. A message is parked if its publisher refuses it with a
// cqrsfeed.RefusedError, or if it fails alone MaxAttempts times while its topic takes others. While a topic takes no message,
// none of its failing messages is parked. So the last message of a topic is not parked, unless it is refused, until another
// message follows.
//
// Each relay keeps the order of the messages of a topic, except that later messages overtake a parked one. Where the outbox
// keeps the order of a topic (see Orderer), nothing overtakes, whichever relay publishes, and a parked message holds its topic.
// Repeats are possible: before a message is parked, a later one of another item is published, and then published again in its
// place. The order between topics is not kept. docs/outbox.md describes operation, metrics and traces.
type Relay struct {
	config   RelayConfig
	logger   watermill.LoggerAdapter
	metrics  *relayMetrics
	traces   relayTraces
	breakers *breakers

	limit int // of the next Drain, of the goroutine of Run

	started atomic.Bool
	running chan struct{}
}

// NewRelay checks the configuration. It starts nothing. A nil logger logs through slog.Default.
func NewRelay(config RelayConfig, logger watermill.LoggerAdapter) (*Relay, error) {
	config.setDefaults()
	if err := config.Validate(); err != nil {
		return nil, fmt.Errorf("relay config: %w", err)
	}
	metrics, err := newRelayMetrics(config.MeterProvider, config.Name)
	if err != nil {
		return nil, fmt.Errorf("relay metrics: %w", err)
	}
	return &Relay{
		config:   config,
		limit:    config.BatchSize,
		logger:   telemetry.Logger(logger).With(watermill.LogFields{"relay": config.Name}),
		metrics:  metrics,
		traces:   relayTraces{config.TracerProvider.Tracer(relayScope)},
		breakers: &breakers{backoff.Backoff{Min: config.MinBackoff, Max: config.MaxBackoff}, map[string]*breaker{}},
		running:  make(chan struct{}),
	}, nil
}

// Running is closed when Run has started.
func (r *Relay) Running() <-chan struct{} { return r.running }

// Run publishes until ctx ends, finishes the call of Publish in progress and deletes what was published. It then returns
// nil. It returns an error only if it cannot start. It may be called once.
func (r *Relay) Run(ctx context.Context) (err error) {
	if !r.started.CompareAndSwap(false, true) {
		return errors.New("relay: Run was called before")
	}
	stopObserving, err := r.metrics.observe(r.config.Outbox)
	if err != nil {
		return fmt.Errorf("relay metrics: %w", err)
	}
	defer func() { err = errors.Join(err, stopObserving()) }()
	r.metrics.begin(ctx)
	close(r.running)

	failures := backoff.Backoff{Min: r.config.MinBackoff, Max: r.config.MaxBackoff}
	poll := newPollInterval(r.config.PollInterval)
	polled := true // there is no wake-up for messages that wait at the start
	for ctx.Err() == nil {
		found, more, err := r.drain(ctx)
		if err != nil {
			r.metrics.failed(ctx)
			r.logger.Error("Relay could not drain the outbox, will retry", err, nil)
			failures.Wait(ctx)
			continue
		}
		failures.Reset()
		if polled {
			poll.looked(found)
		}
		polled = false
		if !more {
			polled = r.wait(ctx, poll.next)
		}
	}
	return nil
}

// drain publishes one batch. It reports whether there was any message, and whether there may be more. Its error is the
// store's.
func (r *Relay) drain(ctx context.Context) (found, more bool, err error) {
	d := &delivery{relay: r, stop: ctx.Done()}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), r.config.DrainTimeout)
	defer cancel()
	except, _ := r.breakers.open()
	taken, err := r.config.Outbox.Drain(ctx, r.limit, except, d.publish)
	full := taken >= r.limit || d.bytes() >= limits.MaxBatchBytes
	if err == nil && !d.cut && !full {
		r.breakers.forget(except, d.batch)
	}
	r.limit = r.nextLimit(d)
	waiting, _ := r.breakers.open()
	r.metrics.waiting.Store(int64(len(waiting)))
	if err != nil {
		return false, false, fmt.Errorf("drain outbox: %w", err)
	}
	r.reportParked(ctx, d)
	r.reportUndecoded(ctx, taken-len(d.batch))
	return taken > 0, d.cut || full, nil
}

// nextLimit returns how many messages to ask for after a batch: no more than it had if it was full by its bytes, because a
// database may send what a Drain does not take.
func (r *Relay) nextLimit(d *delivery) int {
	if d.bytes() >= limits.MaxBatchBytes {
		return len(d.batch)
	}
	return min(2*r.limit, r.config.BatchSize)
}

func (r *Relay) reportParked(ctx context.Context, d *delivery) {
	for _, i := range d.parked {
		r.logger.Error("Relay parked a message; repair the cause, then unpark or discard it by its parked_id", d.results[i].Reason, watermill.LogFields{
			"parked_id": d.results[i].ParkedID, "message_uuid": d.batch[i].Message.UUID, "topic": d.batch[i].Topic,
			"attempts": d.results[i].Attempts,
		})
	}
	r.metrics.parked(ctx, len(d.parked))
}

// errUndecoded stands for the reasons of messages that only the store has seen.
var errUndecoded = errors.New("the list of parked messages has their reasons")

// reportUndecoded reports messages that the store took and did not pass on: it has parked them.
func (r *Relay) reportUndecoded(ctx context.Context, messages int) {
	if messages > 0 {
		r.logger.Error("Outbox parked messages that it cannot decode", errUndecoded, watermill.LogFields{"messages": messages})
		r.metrics.parked(ctx, messages)
	}
}

// wait returns after a wake-up, after the poll interval, when a topic is due, or when ctx ends. It reports whether the
// poll interval elapsed.
func (r *Relay) wait(ctx context.Context, poll time.Duration) (elapsed bool) {
	wait := poll
	if _, due := r.breakers.open(); !due.IsZero() {
		wait = min(poll, time.Until(due))
	}
	timer := time.NewTimer(wait)
	defer timer.Stop()
	select {
	case <-timer.C:
		return wait == poll
	case <-r.config.Outbox.Wake():
	case <-ctx.Done():
	}
	return false
}

// minPollInterval is how long the relay waits before it polls again after a poll that found messages.
const minPollInterval = 10 * time.Millisecond

// pollInterval is the wait between polls: short while they find messages, and then longer and longer.
type pollInterval struct{ least, most, next time.Duration }

func newPollInterval(most time.Duration) pollInterval {
	least := min(minPollInterval, most)
	return pollInterval{least: least, most: most, next: least}
}

func (p *pollInterval) looked(found bool) {
	if found {
		p.next = p.least
	} else {
		p.next = min(2*p.next, p.most)
	}
}
