package ssestream

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net"
	"slices"
	"sync"
	"time"

	"github.com/ThreeDotsLabs/watermill"
	"github.com/ThreeDotsLabs/watermill/message"

	"github.com/feedmill/feedmill/internal/backoff"
	"github.com/feedmill/feedmill/internal/telemetry"
	"github.com/feedmill/feedmill/ssestream/internal/observe"
	"github.com/feedmill/feedmill/ssestream/internal/response"
	"github.com/feedmill/feedmill/ssestream/internal/room"
	"github.com/feedmill/feedmill/ssestream/internal/socket"
	"github.com/feedmill/feedmill/ssestream/internal/takeover"
	"github.com/feedmill/feedmill/ssestream/internal/wire"
)

// Router serves streams of state that messages keep up to date. It is a message.Publisher of such messages, and a
// drop-in for watermillhttp.SSERouter; docs/streams.md says what differs. It is safe for concurrent use.
type Router struct {
	config  RouterConfig
	logger  watermill.LoggerAdapter
	places  *places
	visits  visits
	name    string        // tells this router from others
	telling chan struct{} // holds a token for each kick that is being published
	warned  warnings
	terms   response.Terms
	rooms   room.Config
	shards  *takeover.Shards

	metrics *observe.Metrics
	traces  *observe.Traces

	closed  context.Context //nolint:containedctx // the router's life, which no caller's context spans
	cancel  context.CancelFunc
	running chan struct{}
	tasks   sync.WaitGroup // grows only while it is not empty, or under mu before closing

	mu        sync.Mutex
	started   bool
	closing   bool
	drainBy   time.Time // set before closed ends, and then read without mu
	upstreams map[string]*upstream
	handlers  []*handler
}

var _ message.Publisher = (*Router)(nil)

// NewRouter returns a router for the configuration, or an error that says all that is wrong with it. It starts
// nothing: see [Router.Run]. A nil logger logs to slog.Default.
func NewRouter(config RouterConfig, logger watermill.LoggerAdapter) (*Router, error) {
	config.setDefaults()
	if err := config.Validate(); err != nil {
		return nil, fmt.Errorf("router config: %w", err)
	}
	logger = telemetry.Logger(logger)
	metrics, err := observe.NewMetrics(config.MeterProvider)
	if err != nil {
		return nil, fmt.Errorf("new router: %w", err)
	}
	closed, cancel := context.WithCancel(context.Background())
	r := &Router{
		config:    config,
		logger:    logger,
		places:    newPlaces(config),
		visits:    visits{all: map[*visit]struct{}{}},
		name:      watermill.NewULID(),
		telling:   make(chan struct{}, kicksAtOnce),
		metrics:   metrics,
		traces:    observe.NewTraces(config.TracerProvider, config.PublishTime, logger),
		closed:    closed,
		cancel:    cancel,
		running:   make(chan struct{}),
		upstreams: map[string]*upstream{},
	}
	r.wire()

	return r, nil
}

// wire tells the parts of the router what they need of it.
func (r *Router) wire() {
	r.terms = response.Terms{
		Heartbeat: max(0, r.config.Heartbeat),
		Dead:      r.dead(),
		Closed:    r.closed.Done(),
		WriteBy:   r.writeBy,
		Preface:   func() []byte { return wire.AppendRetry(nil, r.retry()) },
		Farewell:  func() []byte { return wire.AppendRetry(nil, r.drainRetry()) },
		Go:        r.tasks.Go,
		Counters:  &r.metrics.Counters,
	}
	r.rooms = room.Config{
		Closed: r.closed, Go: r.tasks.Go, Spawn: r.spawn, Slots: room.NewSlots(r.config.ConcurrentLoads, r.config.LoadTimeout),
		MinBackoff: r.config.MinBackoff, MaxBackoff: r.config.MaxBackoff,
		MinLoadInterval: r.config.MinLoadInterval, MaxMembers: r.config.MaxClientsPerKey,
		Metrics: r.metrics, Traces: r.traces, Logger: r.logger,
		Final: final, Problem: encodeProblem, Stale: encodeStale,
	}
	r.shards = takeover.New(r.terms)
	if topic := r.config.KickTopic; topic != "" {
		r.upstreamLocked(topic).listeners = []listener{kicks{r}} // Nobody else knows of r yet.
	}
}

// Run subscribes to the topics and serves until ctx ends or Close is called, and then closes the router. It fails
// at once if a topic that was added before cannot be subscribed to. It waits out later interruptions. Without an
// UpstreamSubscriber it subscribes to nothing, and only [Router.Publish] brings messages. A second Run is an error.
func (r *Router) Run(ctx context.Context) error {
	upstreams, err := r.start()
	if err != nil {
		return err
	}
	stop := context.AfterFunc(ctx, r.shut)
	defer stop()

	for _, up := range upstreams {
		if r.config.UpstreamSubscriber == nil {
			up.open()
			close(up.live)

			continue
		}
		messages, err := r.subscribe(up)
		if err != nil && r.closed.Err() == nil {
			return errors.Join(err, r.Close())
		}
		if err == nil {
			r.spawn(func() { r.follow(up, messages) })
		}
	}
	r.spawn(r.resync)
	r.spawn(r.tellStale)
	close(r.running)
	<-r.closed.Done()

	return r.Close()
}

// start notes that the router runs and returns the upstreams that Run has to follow. Later ones follow themselves.
func (r *Router) start() ([]*upstream, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	switch {
	case r.closing:
		return nil, fmt.Errorf("router: %w", ErrClosed)
	case r.started:
		return nil, errors.New("router: Run was called before")
	}
	r.started = true

	return slices.Collect(maps.Values(r.upstreams)), nil
}

// Running is closed when Run has subscribed to all topics.
func (r *Router) Running() chan struct{} { return r.running }

// Close ends the streams, loads and subscriptions and waits for them, at most CloseTimeout. Each stream is told when
// to come back (RouterConfig.DrainWindow), after the event that is being written to it; all of that takes at most
// one WriteTimeout. From then on streams are answered with a reconnection time and ended, and plain requests with
// [ErrClosed] and status 503. Calls of an adapter that is not an [Adapter] are waited for, and so are kicks. The
// upstream subscriber is left open. Close may be called more than once.
//
// http.Server.Shutdown does not end streams: it waits for some, and does not know of those whose connections were
// taken over. So close the router first, or while Shutdown waits by http.Server.RegisterOnShutdown, and then call
// Close again to wait for the end of all streams.
func (r *Router) Close() error {
	r.shut()

	done := make(chan struct{})
	go func() {
		r.tasks.Wait()
		close(done)
	}()
	timer := time.NewTimer(r.config.CloseTimeout)
	defer timer.Stop()
	select {
	case <-done:
		return nil
	case <-timer.C:
		return fmt.Errorf("close router: streams, loads or kicks did not end within %s", r.config.CloseTimeout)
	}
}

// shut lets nothing begin any more and has everything end.
func (r *Router) shut() {
	r.mu.Lock()
	defer r.mu.Unlock()
	if !r.closing {
		r.closing = true
		// The last writes must end before Close gives up.
		r.drainBy = time.Now().Add(min(r.config.WriteTimeout, r.config.CloseTimeout*9/10))
		r.cancel()
	}
}

// writeBy returns when a write to a client that begins now has to be done. When the router closes there is one
// WriteTimeout for all that is left to write, so that clients that do not read delay Close no further.
func (r *Router) writeBy() time.Time {
	if r.closed.Err() != nil {
		return r.drainBy
	}

	return time.Now().Add(r.config.WriteTimeout)
}

// spawn runs task in a goroutine that Close waits for. It reports false where the router closes.
func (r *Router) spawn(task func()) bool {
	if !r.enter() {
		return false
	}
	go func() {
		defer r.tasks.Done()
		task()
	}()

	return true
}

// enter counts the caller as a task that Close waits for, unless the router closes. The caller calls tasks.Done when
// it ends.
func (r *Router) enter() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.closing {
		return false
	}
	r.tasks.Add(1)

	return true
}

// resync has all rooms reload every now and then.
func (r *Router) resync() {
	if r.config.Resync == Off {
		return
	}
	for backoff.Sleep(r.closed, backoff.Between(r.config.Resync*9/10, r.config.Resync*11/10)) {
		for _, h := range r.allHandlers() {
			h.rooms.Refresh(observe.Cause{})
		}
	}
}

// retry returns the reconnection time to tell one client.
func (r *Router) retry() time.Duration {
	return backoff.Between(r.config.Retry/2, r.config.Retry*3/2)
}

// drainRetry is retry for a router that closes: the clients come back at random within the drain window, to whoever
// serves then.
func (r *Router) drainRetry() time.Duration {
	return backoff.Between(r.config.Retry/2, r.config.Retry/2+r.config.DrainWindow)
}

// patience is the longest that a peer waits for the header of its response.
func (r *Router) patience() time.Duration {
	if r.config.Heartbeat == Off {
		return patience
	}

	return r.config.Heartbeat
}

// dead is how long a peer may take nothing of what was sent. A heartbeat is sent before that begins, so that a peer is found to
// be gone within three.
func (r *Router) dead() time.Duration { return max(r.patience()*3/2, r.config.WriteTimeout) }

// patience bounds the wait for a first state if heartbeats are off. It is also how long a connection lasts on which a
// stream was put off.
const patience = 15 * time.Second

// ConnContext is for the field ConnContext of an http.Server that serves the router's streams by TLS or HTTP/2 or behind
// middleware that wraps its writers:
//
//	server.ConnContext = router.ConnContext
//
// While there are streams on a connection, the kernel breaks it off when its peer is gone, within three heartbeats, and
// bounds what it keeps for one that is slow. Connections that the router takes over have that in any case. Where a wrapper
// of middleware keeps the router from setting deadlines, the connection of a client that stalls is closed instead. It
// returns a context that has the connection.
func (*Router) ConnContext(ctx context.Context, conn net.Conn) context.Context {
	return socket.With(ctx, conn)
}
