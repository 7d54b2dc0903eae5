package ssestream

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"sync"
	"time"

	"github.com/ThreeDotsLabs/watermill"
	watermillhttp "github.com/ThreeDotsLabs/watermill-http/v2/pkg/http"
	"github.com/ThreeDotsLabs/watermill/message"
)

// Router serves streams of state that messages keep up to date. It is a drop-in for watermillhttp.SSERouter; the
// package's comment says what differs. It is safe for concurrent use.
type Router struct {
	config RouterConfig
	logger watermill.LoggerAdapter
	stats  *counters
	meters *metrics
	traces *tracing
	places *places
	shards *shards
	slots  chan struct{}   // one a load that runs
	some   chan struct{}   // one a room that loads because all do
	closed context.Context //nolint:containedctx // the router's life, which no caller's context spans
	cancel context.CancelFunc

	running chan struct{}
	tasks   sync.WaitGroup // grows only while it is not empty, or under mu before closing

	mu        sync.Mutex
	started   bool
	closing   bool
	drainBy   time.Time // set before closed ends, and then read without mu
	upstreams map[string]*upstream
}

// NewRouter answers a router for the configuration, or an error that says all that is wrong with it. It starts
// nothing: see [Router.Run]. A nil logger logs nothing.
func NewRouter(config RouterConfig, logger watermill.LoggerAdapter) (*Router, error) {
	if err := config.Validate(); err != nil {
		return nil, fmt.Errorf("invalid router config: %w", err)
	}
	config.setDefaults()
	if logger == nil {
		logger = watermill.NopLogger{}
	}
	meters, err := newMetrics(config.MeterProvider)
	if err != nil {
		return nil, fmt.Errorf("new router: %w", err)
	}
	closed, cancel := context.WithCancel(context.Background())

	r := &Router{
		config:    config,
		logger:    logger,
		stats:     &counters{},
		meters:    meters,
		traces:    newTracing(config, logger),
		places:    newPlaces(config),
		slots:     make(chan struct{}, config.ConcurrentLoads),
		some:      make(chan struct{}, (config.ConcurrentLoads+1)/2),
		closed:    closed,
		cancel:    cancel,
		running:   make(chan struct{}),
		upstreams: map[string]*upstream{},
	}
	r.shards = newShards(r)

	return r, nil
}

// AddHandler answers the HTTP handler that serves the adapter, whose state is announced on the topic. It may be
// called before and after Run; the topic is subscribed to once, however many handlers it has. An [*Adapter] is
// served from shared rooms; any other adapter is asked for every client, in the order of the messages. The
// handler answers a stream where [WantsStream] says so, and the state as JSON otherwise. A stream that is asked
// for before Run waits for it.
func (r *Router) AddHandler(topic string, adapter watermillhttp.StreamAdapter) http.HandlerFunc {
	return r.AddTopicsHandler([]string{topic}, adapter)
}

// AddTopicsHandler is AddHandler for a state that several topics announce, such as one for updates and one for
// deletions. The adapter hears each topic in its order, and nothing is said of the order between them. Without topics
// only RouterConfig.Resync brings changes. It panics where the adapter is nil.
func (r *Router) AddTopicsHandler(topics []string, adapter watermillhttp.StreamAdapter) http.HandlerFunc {
	if adapter == nil {
		panic("ssestream: the adapter of a handler is nil")
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	ups := r.upstreamsLocked(topics)
	if a, ok := adapter.(sharing); ok {
		if rooms, ok := a.shared(adapter); ok {
			h := r.roomsLocked(ups, rooms)

			return r.route(r.visits(h.visit), h.serveState)
		}
	}
	plain := newPlainHandler(r, ups, adapter)
	for _, up := range ups {
		up.add(plain)
	}

	return r.route(plain.serveStream, plain.serveState)
}

// roomsLocked answers the rooms of the adapter, which all routes share that have it for the same topics.
func (r *Router) roomsLocked(ups upstreams, adapter roomAdapter) *roomHandler {
	for _, up := range ups {
		for _, l := range up.all() {
			if h, ok := l.(*roomHandler); ok && h.adapter == adapter && slices.Equal(h.upstreams, ups) {
				return h
			}
		}
	}
	h := newRoomHandler(r, ups, adapter)
	for _, up := range ups {
		up.add(h)
	}

	return h
}

// upstreamsLocked answers the topics' upstreams, each once.
func (r *Router) upstreamsLocked(topics []string) upstreams {
	ups := make(upstreams, 0, len(topics))
	for _, topic := range topics {
		if up := r.upstreamLocked(topic); !slices.Contains(ups, up) {
			ups = append(ups, up)
		}
	}

	return ups
}

// upstreamLocked answers the topic's upstream. One that is new while the router runs is followed at once.
func (r *Router) upstreamLocked(topic string) *upstream {
	if up, ok := r.upstreams[topic]; ok {
		return up
	}
	up := newUpstream(topic)
	r.upstreams[topic] = up
	switch {
	case !r.started || r.closing:
	case r.config.UpstreamSubscriber == nil:
		up.subscribed()
	default:
		r.tasks.Go(func() { r.follow(up, nil) })
	}

	return up
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
			up.subscribed()

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
	if err := r.meters.observe(r.stats); err != nil {
		return errors.Join(err, r.Close())
	}
	r.spawn(r.resync)
	close(r.running)
	<-r.closed.Done()

	return r.Close()
}

// start notes that the router runs and answers the upstreams that Run has to follow; the others follow
// themselves.
func (r *Router) start() ([]*upstream, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	switch {
	case r.closing:
		return nil, fmt.Errorf("run router: %w", ErrClosed)
	case r.started:
		return nil, errors.New("router: Run was called before")
	}
	r.started = true
	upstreams := make([]*upstream, 0, len(r.upstreams))
	for _, up := range r.upstreams {
		upstreams = append(upstreams, up)
	}

	return upstreams, nil
}

// Running is closed when Run has subscribed to all topics.
func (r *Router) Running() chan struct{} { return r.running }

// Close ends the streams, loads and subscriptions and waits for them, at most CloseTimeout. From then on streams
// are answered with a reconnection time and closed (an error would stop an EventSource for good), and plain
// requests with [ErrClosed] and status 503, as are those whose load it ends. Calls of an adapter that is not an
// [Adapter] are not cut off, but waited for. It may be called more than once. The upstream subscriber
// is left open: it is not the router's.
//
// Each stream is told when to come back, see RouterConfig.DrainWindow, after the event that is being written to it. All
// of that together takes at most one WriteTimeout, except on writers that hide their deadlines; clients that do not
// read go without.
//
// http.Server.Shutdown does not end streams: it waits for some, and does not know of those whose connections were taken
// over. So close the router first, or while it waits by http.Server.RegisterOnShutdown, and then call Close once more to
// wait for the end of all streams.
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
		return fmt.Errorf("close router: streams or loads did not end within %s", r.config.CloseTimeout)
	}
}

// shut lets nothing begin any more, and has all that is there end.
func (r *Router) shut() {
	r.mu.Lock()
	defer r.mu.Unlock()
	if !r.closing {
		r.closing = true
		// What is left to write must not be what Close gives up on.
		r.drainBy = time.Now().Add(min(r.config.WriteTimeout, r.config.CloseTimeout*9/10))
		r.cancel()
	}
}

// writeBy answers when a write to a client that begins now has to be done. When the router closes there is one
// WriteTimeout for all that is left to write, so that clients that do not read cannot hold Close up for longer.
func (r *Router) writeBy() time.Time {
	if r.closed.Err() != nil {
		return r.drainBy
	}

	return time.Now().Add(r.config.WriteTimeout)
}

// Stats answers the router's counters as of now.
func (r *Router) Stats() Stats { return r.stats.snapshot() }

// spawn runs task in a goroutine that Close waits for, unless the router is closing, which it says.
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

// enter counts the caller as a task that Close waits for, unless the router is closing. The caller calls
// tasks.Done when it ends.
func (r *Router) enter() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.closing {
		return false
	}
	r.tasks.Add(1)

	return true
}

// resync reloads all rooms every now and then.
func (r *Router) resync() {
	if r.config.Resync == Off {
		return
	}
	for sleep(r.closed, jitter(r.config.Resync, r.config.Resync/10)) {
		for l := range r.listeners() {
			l.resync()
		}
	}
}

// listeners answers all listeners, each once, however many topics it has.
func (r *Router) listeners() map[listener]struct{} {
	r.mu.Lock()
	defer r.mu.Unlock()
	all := map[listener]struct{}{}
	for _, up := range r.upstreams {
		for _, l := range up.all() {
			all[l] = struct{}{}
		}
	}

	return all
}

// acquireLoad waits for a slot to load in and says whether it got one before ctx ended.
func (r *Router) acquireLoad(ctx context.Context) bool {
	select {
	case r.slots <- struct{}{}:
		return true
	case <-ctx.Done():
		return false
	}
}

func (r *Router) releaseLoad() { <-r.slots }

// acquireRefresh waits until one more of all rooms may load, and says no where the router closes before.
func (r *Router) acquireRefresh() bool {
	select {
	case r.some <- struct{}{}:
		return true
	case <-r.closed.Done():
		return false
	}
}

func (r *Router) releaseRefresh() { <-r.some }

func (r *Router) newBackoff() *backoff {
	return &backoff{minimum: r.config.MinBackoff, maximum: r.config.MaxBackoff}
}

// subscribe subscribes to an upstream's topic for as long as the router lives.
func (r *Router) subscribe(up *upstream) (<-chan *message.Message, error) {
	messages, err := r.config.UpstreamSubscriber.Subscribe(r.closed, up.topic)
	if err != nil {
		return nil, fmt.Errorf("subscribe to topic %q: %w", up.topic, err)
	}
	up.subscribed()

	return messages, nil
}
