package projector

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/ThreeDotsLabs/watermill"

	"github.com/feedmill/feedmill/internal/telemetry"
)

// Projector runs a [Projection] on the messages that are published to it, and on those of a Subscriber, in batches. It
// publishes the projection's updates and only then acknowledges the messages: each message is applied at least once. A
// message that can never be applied goes to the poison topic and holds up no other.
//
//	proj, err := projector.New(projector.Config{
//		Subscriber: events, Topics: []string{"note-created"}, Projection: feeds,
//		Publisher: updates, UpdatesTopic: "feed-updated", PoisonTopic: "poison",
//	}, logger)
//	err = proj.Run(ctx)
//
// The comment of the package has the details. All methods are safe for concurrent use.
type Projector struct {
	config  Config
	logger  watermill.LoggerAdapter
	metrics *projectorMetrics
	traces  projectorTraces

	deliveries chan *delivery // buffered, so that a batch gathers while another one is applied
	pending    atomic.Int64   // deliveries that are not settled
	applied    atomic.Int64   // batches that were applied and whose updates are published
	givenBack  givenBack

	pause   pause
	history history

	started atomic.Bool
	running chan struct{}
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
	return &Projector{
		config:     config,
		logger:     logger.With(watermill.LogFields{"projector": config.Name}),
		metrics:    metrics,
		traces:     projectorTraces{config.TracerProvider.Tracer(telemetryScope), config.Name},
		deliveries: make(chan *delivery, config.BatchSize),
		running:    make(chan struct{}),
	}, nil
}

// Running is closed when Run has subscribed to all topics: messages published from then on are received, also from a
// Pub/Sub that keeps nothing for later subscribers.
func (p *Projector) Running() <-chan struct{} { return p.running }

// Run reads the Subscriber, if there is one, and calls the projection's Sweep until ctx ends. It then finishes its batches
// within CloseTimeout, gives back the messages that it did not apply, and returns nil. It returns an error if subscribing
// fails, if a subscription ends by itself, or if Run was called before.
func (p *Projector) Run(ctx context.Context) error {
	if p.started.Swap(true) {
		return errors.New("projector: Run was called before")
	}
	p.metrics.begin(ctx)
	unobserve, err := p.metrics.observe(p)
	if err != nil {
		return fmt.Errorf("projector %q: %w", p.config.Name, err)
	}
	defer unobserve()
	subscribed := sync.OnceFunc(func() { close(p.running) })
	if paused, _ := p.pause.now(); paused {
		subscribed()
	}
	for p.resumed(ctx) {
		if err := p.runUntilPaused(ctx, subscribed); err != nil {
			return err
		}
	}
	return nil
}

// runUntilPaused is Run until a pause begins.
func (p *Projector) runUntilPaused(ctx context.Context, subscribed func()) error {
	paused, changed := p.pause.now()
	if paused {
		return nil
	}
	stopping, stop := context.WithCancel(ctx)
	defer stop()
	var ended <-chan error
	if p.config.Subscriber != nil {
		in, err := p.subscribe(ctx, stopping)
		if err != nil {
			return err
		}
		defer in.close()
		ended = in.ended
	}
	subscribed()

	// Started batches use unfinished, which ends CloseTimeout after the stop.
	unfinished, abandon := context.WithCancel(context.WithoutCancel(ctx))
	defer abandon()
	defer context.AfterFunc(stopping, func() { time.AfterFunc(p.config.CloseTimeout, abandon) })()

	var workers sync.WaitGroup
	if p.config.Subscriber != nil {
		for range p.config.Workers {
			workers.Go(func() { p.work(stopping, unfinished) })
		}
	}
	workers.Go(func() { p.sweep(stopping, unfinished) })

	var failure error
	select {
	case <-ctx.Done():
	case <-changed:
	case failure = <-ended:
	}
	stop()
	workers.Wait()
	return failure
}
