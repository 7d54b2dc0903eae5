package feedmill

import (
	"context"
	"fmt"
	"math"
	"net"
	"net/http"
	"slices"
	"sync"
	"time"

	"github.com/ThreeDotsLabs/watermill"
	watermillhttp "github.com/ThreeDotsLabs/watermill-http/v2/pkg/http"
	"github.com/ThreeDotsLabs/watermill/message"
	"go.opentelemetry.io/otel/metric"
	"go.opentelemetry.io/otel/trace"

	"github.com/feedmill/feedmill/cqrsfeed"
	"github.com/feedmill/feedmill/cqrsfeed/operate"
	"github.com/feedmill/feedmill/cqrsfeed/outbox"
	"github.com/feedmill/feedmill/cqrsfeed/projector"
	"github.com/feedmill/feedmill/internal/config"
	"github.com/feedmill/feedmill/internal/telemetry"
	"github.com/feedmill/feedmill/ssestream"
)

// Config configures an App.
type Config struct {
	// Outbox has the events of the application's writes. The App publishes them. Required without a Broker. With one, an
	// instance that does not publish leaves it out. On MySQL and PostgreSQL, projections without a Broker that use the same
	// *sql.DB need at least two open connections, and three with postgresstore.Live.
	Outbox outbox.Outbox
	// Broker carries the events between processes. Defaults to none: an event stays in the process whose relay has taken it from
	// the outbox.
	Broker *Broker
	// Live makes several instances possible without a Broker, which share the outbox and the read models: it tells the streams of
	// the others what changed here. All instances must add the same projections and handlers. Defaults to none: then, without a
	// Broker, run only one instance, because the pages of another would be out of date until their streams load again.
	Live Live
	// Checks are called by Ready, for example to ping a database.
	Checks []func(context.Context) error
	// Operators is where Run serves the page of Operations, by operate.ByAddress, until it ends. Whoever reaches the address is
	// an operator, so listen on localhost, or behind a proxy with a login that sends this address as Host. Defaults to none.
	Operators net.Listener

	// Relay tunes the relay. Its Outbox and Publisher must not be set.
	Relay outbox.RelayConfig
	// Router tunes the router. Its UpstreamSubscriber and KickPublisher must not be set: they are those of the Broker, or Live. Its
	// ErrorHandler also writes the errors of WriteError and Feeds.Reply.
	Router ssestream.RouterConfig
	// CloseTimeout bounds each step of a stop. Defaults to 10 seconds.
	CloseTimeout time.Duration

	// MeterProvider takes the metrics of all parts. Defaults to OpenTelemetry's global one.
	MeterProvider metric.MeterProvider
	// TracerProvider takes the spans of all parts. Defaults to OpenTelemetry's global one.
	TracerProvider trace.TracerProvider
}

// Live is a Pub/Sub between the instances of an application, such as postgresstore.Live or mysqlstore.Live. Subscribe delivers
// each message that other instances publish while the subscription lasts; a channel that is closed early means that messages
// may have been missed, and streams load again. An instance need not get its own messages.
type Live interface {
	message.Publisher
	message.Subscriber
}

// Broker is a message broker that all instances of an application share.
type Broker struct {
	// Publisher publishes the events of the outbox and the updates of projections. Required.
	Publisher message.Publisher
	// Work delivers every message of a topic to one of the instances, at least once: a consumer group. One projection
	// reads a topic from it. A second one needs a group of its own, as its projector.Config.Subscriber.
	Work message.Subscriber
	// WorkSubscriptions is the projector.Config.Subscriptions of projections that read from Work.
	WorkSubscriptions int
	// Live delivers every message to every instance. Open streams follow it. Required.
	Live message.Subscriber
	// PoisonTopic is where messages go that a projection can never apply. Defaults to "poison".
	PoisonTopic string
	// Poison shows the PoisonTopic to operators, see App.Operations: natspubsub.Stream.Poison. Defaults to none.
	Poison projector.PoisonQueue
}

func (c *Config) setDefaults() {
	config.Default(&c.CloseTimeout, 10*time.Second)
	telemetry.Defaults(&c.MeterProvider, &c.TracerProvider)
	config.Default(&c.Relay.MeterProvider, c.MeterProvider)
	config.Default(&c.Relay.TracerProvider, c.TracerProvider)
	config.Default(&c.Router.CloseTimeout, c.CloseTimeout/2) // the server's part of a stop comes after it
	config.Default(&c.Router.MeterProvider, c.MeterProvider)
	config.Default(&c.Router.TracerProvider, c.TracerProvider)
	if c.Router.PublishTime == nil {
		c.Router.PublishTime = cqrsfeed.MessageTime
	}
	if c.Router.ErrorHandler == nil {
		c.Router.ErrorHandler = ssestream.DefaultErrorHandler
	}
	if c.Broker != nil {
		broker := *c.Broker
		config.Default(&broker.PoisonTopic, "poison")
		c.Broker = &broker
	}
}

// Validate returns all problems of the configuration, joined.
func (c Config) Validate() error {
	var p config.Problems
	if c.Broker == nil {
		p.Require(c.Outbox != nil, "Outbox")
	} else {
		p.Check(c.Live == nil, "there are a Broker and a Live; a Broker tells other instances of changes itself")
		p.Require(c.Broker.Publisher != nil, "Broker.Publisher")
		p.Require(c.Broker.Live != nil, "Broker.Live")
		config.NotNegative(&p, "Broker.WorkSubscriptions", c.Broker.WorkSubscriptions)
	}
	p.Check(c.Relay.Outbox == nil && c.Relay.Publisher == nil, "Relay has an Outbox or a Publisher, which the App sets")
	p.Check(c.Router.UpstreamSubscriber == nil && c.Router.KickPublisher == nil,
		"Router has an UpstreamSubscriber or a KickPublisher, which the App sets")
	config.NotNegative(&p, "CloseTimeout", c.CloseTimeout)
	return p.Join()
}

// publisher returns what tells all instances of updates, for a process without an App, or nil.
func (c Config) publisher() message.Publisher {
	switch {
	case c.Broker != nil:
		return c.Broker.Publisher
	case c.Live != nil:
		return c.Live
	}
	return nil
}

// App is an application whose pages update themselves: a relay that publishes the outbox, projections that build read
// models, and a router that streams them to browsers. Run runs and stops them in the right order.
//
// Without a Broker the relay calls the projections, and these pass their updates to the router, on the relay's goroutine.
// An event that a projection can never apply is parked in the outbox. An event stays in the outbox until all its projections
// have applied it, so a projection that fails delays its topics, also for the others. An update that another projection can
// never apply is only logged. With Live the application may have several instances, whose relays divide the work. With a Broker
// projections are independent of each other, and there may be any number of instances.
//
// Add projections before Run. Handlers may be added at any time.
type App struct {
	config Config
	logger watermill.LoggerAdapter
	relay  *outbox.Relay // nil without an outbox
	router *ssestream.Router

	running       chan struct{}
	stopping      chan struct{}
	closeStopping func()

	mu          sync.RWMutex
	started     bool
	projections []projection
	awaited     []awaited
	readModels  []*operate.ReadModel
	operations  *operate.Handler // nil unless Operations was called
}

// awaited is a read model of a kind of item, for whose versions reads wait.
type awaited struct {
	kind, topic string // topic is that of its updates
	model       cqrsfeed.ItemVersions
}

// projection is a projector and what it is applied to.
type projection struct {
	*projector.Projector

	name   string
	topics []string
	shared bool // reads from Broker.Work
}

// New returns an App, or an error if the configuration is not valid. It starts nothing. A nil logger logs through
// slog.Default.
func New(c Config, logger watermill.LoggerAdapter) (*App, error) {
	c.setDefaults()
	if err := c.Validate(); err != nil {
		return nil, fmt.Errorf("app config: %w", err)
	}
	a := &App{
		config: c, logger: telemetry.Logger(logger),
		running: make(chan struct{}), stopping: make(chan struct{}),
	}
	switch {
	case c.Broker != nil:
		c.Router.UpstreamSubscriber, c.Router.KickPublisher = c.Broker.Live, c.Broker.Publisher
	case c.Live != nil:
		c.Router.UpstreamSubscriber, c.Router.KickPublisher = c.Live, c.Live
	}
	a.closeStopping = sync.OnceFunc(func() { close(a.stopping) })
	var err error
	if a.router, err = ssestream.NewRouter(c.Router, a.logger); err != nil {
		return nil, err
	}
	if c.Outbox == nil {
		return a, nil
	}
	c.Relay.Outbox, c.Relay.Publisher = c.Outbox, inProcess{app: a, strict: true}
	if c.Broker != nil {
		c.Relay.Publisher = c.Broker.Publisher
	}
	a.relay, err = outbox.NewRelay(c.Relay, a.logger)
	return a, err
}

// AddProjection adds a projection of the events of c.Topics. Set Name, Topics, Projection and UpdatesTopic; all other
// fields may be left out, and Publisher must be. Subscriber and PoisonTopic are for an App with a Broker, and default to its
// own. Names are unique. Updates reach the handlers and projections of UpdatesTopic.
func (a *App) AddProjection(c projector.Config) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	added := projection{name: c.Name, topics: c.Topics}
	if err := a.checkProjection(c); err != nil {
		return fmt.Errorf("add projection %q: %w", c.Name, err)
	}
	config.Default(&c.MeterProvider, a.config.MeterProvider)
	config.Default(&c.TracerProvider, a.config.TracerProvider)
	config.Default(&c.CloseTimeout, a.config.CloseTimeout)
	if broker := a.config.Broker; broker == nil {
		c.Topics, c.Publisher = nil, inProcess{app: a}
	} else {
		c.Publisher = broker.Publisher
		config.Default(&c.PoisonTopic, broker.PoisonTopic)
		if c.Subscriber == nil {
			added.shared = true
			c.Subscriber = broker.Work
			config.Default(&c.Subscriptions, broker.WorkSubscriptions)
		}
	}
	var err error
	if added.Projector, err = projector.New(c, a.logger); err != nil {
		return err
	}
	a.projections = append(a.projections, added)
	return nil
}

func (a *App) checkProjection(c projector.Config) error {
	var p config.Problems
	p.Check(!a.started, "the app runs already")
	p.Check(a.operations == nil, "Operations was called before")
	p.Require(c.Name != "", "Name")
	p.Require(len(c.Topics) > 0, "Topics")
	p.Check(!slices.Contains(c.Topics, c.UpdatesTopic), "UpdatesTopic %q is one of the Topics, so the projection would never end", c.UpdatesTopic)
	p.Check(c.Publisher == nil, "there is a Publisher, which the App sets")
	if a.config.Broker == nil {
		p.Check(c.Subscriber == nil && c.PoisonTopic == "", "Subscriber and PoisonTopic need a Broker")
	} else {
		p.Check(c.Subscriber != nil || a.config.Broker.Work != nil, "neither Subscriber nor Broker.Work is set")
	}
	for _, other := range a.projections {
		p.Check(other.name != c.Name, "another projection has the same name")
		for _, topic := range c.Topics {
			p.Check(!other.shared || c.Subscriber != nil || !slices.Contains(other.topics, topic),
				"%q reads topic %q from Broker.Work already: each would get a part of its messages; set a Subscriber", other.name, topic)
		}
	}
	return p.Join()
}

// Handle returns a handler that serves the states of the adapter: as a stream to requests that accept text/event-stream, and
// as a plain response to others. A message on one of the topics announces a change. Reads wait for the writes that their
// tokens name (see cqrsfeed.NewReadYourWrites) until the feeds and tables of the topics have them. If none of the topics is
// theirs, they wait for all feeds and tables of the token's kind. States of the write model need no wait: add their handler
// to Router.
func (a *App) Handle(adapter watermillhttp.StreamAdapter, topics ...string) http.HandlerFunc {
	return a.waiting(topics, a.router.AddTopicsHandler(topics, adapter))
}

// Streams returns a handler that serves several streams on one connection, see ssestream.Router.AddStreamsHandler. Reads wait
// for the writes that their tokens name, as those of Handle do, with the topics of all streams.
func (a *App) Streams(streams ...ssestream.Stream) (http.HandlerFunc, error) {
	handler, err := a.router.AddStreamsHandler(streams...)
	if err != nil {
		return nil, err
	}
	var topics []string
	for _, stream := range streams {
		topics = append(topics, stream.Topics...)
	}
	return a.waiting(topics, handler), nil
}

// waiting has the reads of a handler wait for the writes that their tokens name.
func (a *App) waiting(topics []string, handler http.Handler) http.HandlerFunc {
	wait, err := cqrsfeed.NewReadYourWrites(cqrsfeed.ReadYourWritesConfig{
		Store:        func(kind string) cqrsfeed.ItemVersions { return a.modelsOf(kind, topics) },
		ErrorHandler: a.config.Router.ErrorHandler,
	})
	if err != nil {
		panic(err) // the configuration is complete
	}
	// The wait is over when it calls a handler. So it need not be around the stream, which takes half the memory then.
	return ssestream.Before(func(w http.ResponseWriter, r *http.Request) (next http.Handler) {
		wait(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { next = handler })).ServeHTTP(w, r)
		return next
	}).ServeHTTP
}

// Router returns the router, for its statistics and its other methods.
func (a *App) Router() *ssestream.Router { return a.router }

// updatesPublisher takes updates that no projection returned.
func (a *App) updatesPublisher() message.Publisher {
	if broker := a.config.Broker; broker != nil {
		return broker.Publisher
	}
	return inProcess{app: a}
}

// await has reads wait for the writes of a kind of item until a read model has them, whose updates go to a topic.
func (a *App) await(kind, topic string, model cqrsfeed.ItemVersions) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.awaited = append(a.awaited, awaited{kind, topic, model})
}

// modelsOf returns the read models of a kind whose updates go to the topics, or else all of the kind, or nil.
func (a *App) modelsOf(kind string, topics []string) cqrsfeed.ItemVersions {
	a.mu.RLock()
	defer a.mu.RUnlock()
	var followed, all versions
	for _, m := range a.awaited {
		if m.kind != kind {
			continue
		}
		all = append(all, m.model)
		if slices.Contains(topics, m.topic) {
			followed = append(followed, m.model)
		}
	}
	switch {
	case len(followed) > 0:
		return followed
	case len(all) > 0:
		return all
	}
	return nil
}

// versions are several read models of one kind of item.
type versions []cqrsfeed.ItemVersions

// ItemVersion returns the version that all have.
func (v versions) ItemVersion(ctx context.Context, id string) (int64, error) {
	least := int64(math.MaxInt64)
	for _, model := range v {
		version, err := model.ItemVersion(ctx, id)
		if err != nil {
			return 0, err
		}
		least = min(least, version)
	}
	return least, nil
}
