package projector

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/ThreeDotsLabs/watermill"
	"github.com/ThreeDotsLabs/watermill/message"

	"github.com/feedmill/feedmill/internal/telemetry"
)

// Projector runs a Projection on a Watermill subscriber: it gathers messages into batches, applies them,
// publishes the updates, and acknowledges only then. Failures of the store or the broker are retried with
// backoff for as long as it runs; messages that can never be applied go to the poison topic.
//
// A message that comes alone is applied at once; what comes while a batch is being applied is the next batch.
// Batches form only as far as the subscriber lets several messages of a topic be unacknowledged at once. Where each
// subscription hands out one message at a time, set Config.Subscriptions.
//
// Any number of projectors, in one process or many, may run one projection on one subscription's messages, and
// several projections may each have subscriptions of their own on the same topics. Behind a Watermill Router,
// with its middleware, a projector is given its messages by [Projector.Handle].
//
// # Messages that can never be applied
//
// A message that cannot be applied does not hold up the others. What the projection names in a RefusedError goes
// to the poison topic at once. A batch that failed three times for another reason, a panic included, is applied
// one message at a time: the others go on, and what fails alone is tried again beside the batches that follow,
// later than messages that were published after it. It goes to the poison topic, with its last error as the
// reason, when it failed alone MaxAttempts times and once more. An attempt counts only if another message was applied
// since the one before. Where no other comes, that is one which was applied before, applied once more.
//
// While nothing is applied, because the store or the broker is away, nothing is set aside for such a reason, and
// once as many messages as a batch has (ten at least) failed alone a worker takes no more. So where nothing was
// applied since the start, and the subscriber delivers the next message only after this one, a message that fails
// without a RefusedError is tried for ever. A projector that was started anew counts anew.
//
// What the publisher refuses for the poison topic as well, by a RefusedError, goes there without its payload, as
// PoisonPayloadKey tells, and if that is refused too it is acknowledged. The log then has the whole message. A
// publisher that does not mark its refusals leaves the message unacknowledged. docs/poison.md says how to look at
// what was set aside, and how to replay it.
//
// # Metrics
//
// Metrics of OpenTelemetry, each with the projector's name in "cqrsfeed.projector":
//
//   - cqrsfeed.projector.batch.size: messages of a batch that was applied. Its count is that of the batches
//   - cqrsfeed.projector.apply.duration: seconds that an attempt to apply a batch took, also one that failed
//   - cqrsfeed.projector.lag: seconds from an event to its message being applied and announced, see
//     Config.EventTime
//   - cqrsfeed.projector.failures: attempts to apply a batch that failed
//   - cqrsfeed.projector.poison: messages set aside
//   - cqrsfeed.projector.refused: updates that the broker refuses for good; they are left out
//   - cqrsfeed.projector.dropped: messages acknowledged although not even the poison topic took them; the log has
//     them
//   - cqrsfeed.projector.backlog: messages that are not acknowledged yet, as a Subscriber that is a Backlogger
//     tells it, otherwise those of them that were delivered to this process
//
// # Traces
//
// Where a message's metadata carries a sampled trace (W3C's traceparent, which the stores' outboxes write), the
// attempts to apply its batch are spans. A batch has one span each time, below the first sampled message and
// linked to the others. Updates carry it on, so that what they cause joins the trace.
type Projector struct {
	config  Config
	logger  watermill.LoggerAdapter
	metrics *projectorMetrics
	traces  projectorTraces

	deliveries chan delivery // capacity lets the next batch gather while one is being applied
	pending    atomic.Int64  // deliveries that are not settled

	applied   atomic.Int64                    // batches that were applied and announced
	knownGood atomic.Pointer[message.Message] // one that was applied and announced

	running, ended           chan struct{}
	closeRunning, closeEnded func()
	started                  atomic.Bool
}

// New checks the configuration; it starts nothing. A nil logger logs through slog.Default.
func New(config Config, logger watermill.LoggerAdapter) (*Projector, error) {
	config.setDefaults()
	if err := config.Validate(); err != nil {
		return nil, fmt.Errorf("projector config: %w", err)
	}
	logger = telemetry.Logger(logger)
	metrics, err := newProjectorMetrics(config)
	if err != nil {
		return nil, fmt.Errorf("projector %q: %w", config.Name, err)
	}
	p := &Projector{
		config:     config,
		logger:     logger.With(watermill.LogFields{"projector": config.Name}),
		metrics:    metrics,
		traces:     newProjectorTraces(config),
		deliveries: make(chan delivery, config.BatchSize),
		running:    make(chan struct{}),
		ended:      make(chan struct{}),
	}
	p.closeRunning = sync.OnceFunc(func() { close(p.running) })
	p.closeEnded = sync.OnceFunc(func() { close(p.ended) })
	return p, nil
}

// Running is closed when Run has subscribed to all topics: what is published from then on is heard, also
// with a Pub/Sub that keeps nothing for later subscribers.
func (p *Projector) Running() <-chan struct{} { return p.running }

// Run subscribes, applies until ctx ends, finishes the batches at hand (within CloseTimeout) and gives
// back the messages that it did not begin. It returns nil after a stop, and an error when subscribing
// failed or a subscription ended by itself; nothing of it runs on afterwards. A second call is an error.
func (p *Projector) Run(ctx context.Context) error {
	if p.started.Swap(true) {
		return errors.New("projector: Run was called before")
	}
	stopping, stop := context.WithCancel(ctx)
	defer stop()
	defer p.closeEnded()

	in, err := p.subscribe(ctx, stopping)
	if err != nil {
		return err
	}
	defer in.close()
	unobserve, err := p.metrics.observe(p.backlog)
	if err != nil {
		return fmt.Errorf("projector %q: %w", p.config.Name, err)
	}
	p.metrics.begin(ctx)
	defer unobserve()
	p.closeRunning()

	// work is what batches at hand use: it ends CloseTimeout after the stop.
	work, abandon := context.WithCancel(context.WithoutCancel(ctx))
	defer abandon()
	defer context.AfterFunc(stopping, func() { time.AfterFunc(p.config.CloseTimeout, abandon) })()

	var workers sync.WaitGroup
	for range p.config.Workers {
		workers.Go(func() { p.applyBatches(stopping, work) })
	}
	workers.Go(func() { p.sweep(stopping, work) })

	var failure error
	select {
	case <-ctx.Done():
	case failure = <-in.ended:
	}
	stop()
	workers.Wait()
	return failure
}
