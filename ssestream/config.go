package ssestream

import (
	"net/http"
	"time"

	watermillhttp "github.com/ThreeDotsLabs/watermill-http/v2/pkg/http"
	"github.com/ThreeDotsLabs/watermill/message"
	"go.opentelemetry.io/otel/metric"
	"go.opentelemetry.io/otel/trace"

	"github.com/feedmill/feedmill/internal/config"
	"github.com/feedmill/feedmill/internal/telemetry"
)

// Off switches off what a [RouterConfig] field times, where the field's comment says so.
const Off = -1

// RouterConfig configures a [Router]. Its first three fields are those of watermillhttp.SSERouterConfig.
type RouterConfig struct {
	// UpstreamSubscriber delivers the messages. Every process must receive every message, so it must not share
	// them with other processes (no consumer group). The router subscribes to each topic once and never closes
	// the subscriber. Without it messages come only by [Router.Publish].
	UpstreamSubscriber message.Subscriber

	// ErrorHandler writes the response to a request that fails before anything was sent. It may use [StatusOf].
	// Defaults to [DefaultErrorHandler].
	ErrorHandler watermillhttp.HandleErrorFunc

	// Marshaler turns a response into an event. For an [Adapter] it is called once for a state, not once for a
	// client. An event must not be named "error", "open", "problem" or "heartbeat", which mean something else to a
	// client. After an error clients are told that their state is stale, and it is tried again.
	// Defaults to watermillhttp.JSONSSEMarshaler, which for an [Adapter] stands for compact JSON in an event named "data".
	Marshaler watermillhttp.SSEMarshaler

	// Heartbeat is how long a stream may be silent before a heartbeat is sent. It is also the longest that a
	// stream waits for its first state before it opens without one. [Off] sends none. Defaults to 15s.
	Heartbeat time.Duration

	// Retry is the reconnection time that clients are told. Each is told a random one between Retry/2 and
	// 3*Retry/2, so that they do not come back together. Defaults to 3s.
	Retry time.Duration

	// WriteTimeout is how long a client may take to receive 16 KiB, or what is left of an event, before it is
	// dropped. So a client that reads steadily receives states of any size. For streams it replaces the WriteTimeout
	// of the http.Server. Middleware that hides write deadlines switches it off. It also bounds the wait for the body of
	// a request. Defaults to 5s.
	WriteTimeout time.Duration

	// Resync is the time between two reloads of all rooms, give or take a tenth, which heal whatever was missed.
	// Nothing is sent where nothing changed. [Off] does none. Defaults to 30s.
	Resync time.Duration

	// LoadTimeout bounds a Load, by its context. A load that is much slower than others may end earlier and be tried
	// again, see ConcurrentLoads. Defaults to 10s.
	LoadTimeout time.Duration

	// ConcurrentLoads is how many loads of the router run at once while all take about as long. A load that takes twice
	// as long as most leaves its slot to others and goes on. So the store must bear up to five times ConcurrentLoads.
	// Keys that fail or are slow do not delay others: they take at most a quarter of the slots, and reloads of all rooms
	// at most half. A load that ignores the end of its context is not counted, but its key is not loaded again before it
	// has returned. Defaults to 16.
	ConcurrentLoads int

	// MinBackoff is the first pause after a failed load or a lost subscription. It doubles up to MaxBackoff and is
	// jittered by half. Defaults to 100ms, or MaxBackoff if that is less.
	MinBackoff time.Duration

	// MaxBackoff bounds the pauses that start with MinBackoff. Defaults to 5s, or MinBackoff if that is more.
	MaxBackoff time.Duration

	// MinLoadInterval is the least time between the starts of two loads of a room. Changes and clients that come
	// meanwhile wait for the next load. It bounds what a busy key costs the store. The first load of a room is not
	// delayed, and a failed load has its backoff instead. Defaults to 0: changes are loaded when the load before has
	// ended, and clients that join within 10ms of a load share the next one.
	MinLoadInterval time.Duration

	// MaxFrameBytes is how large the event of one state may be. A larger one is not sent: its clients are told, and
	// the state is loaded again until it fits. Of an adapter that is not an [Adapter] a larger response cannot be
	// encoded. On a connection of several streams the event's name and ID do not count. Plain requests have no such limit.
	// Defaults to 1 MiB.
	MaxFrameBytes int

	// MaxClients is how many streams may be open at once, including those that wait for their first state. A
	// connection of several streams is one. A stream over this or one of the other limits is answered with a
	// reconnection time and ended, for status 503 would stop an EventSource for good. Plain requests are not
	// limited. Defaults to 0, no limit.
	MaxClients int

	// MaxClientsPerKey is how many clients may follow one key of an [Adapter]. On a connection of several streams
	// the stream over the limit is refused by a problem of status 503. Defaults to 0, no limit.
	MaxClientsPerKey int

	// MaxClientsPerAddress is how many streams one client address may have open. Defaults to 0, no limit.
	MaxClientsPerAddress int

	// ClientAddress returns the address of a client, for MaxClientsPerAddress. Behind a proxy it must be set, or all
	// clients count as one. Defaults to [RemoteAddress].
	ClientAddress func(r *http.Request) string

	// Principal returns who sends the request: a user, a session or a tenant, for [Router.Kick] and
	// MaxClientsPerPrincipal. It is called once for a stream, before anything else. Empty stands for nobody. Defaults
	// to nobody for all.
	Principal func(r *http.Request) string

	// MaxClientsPerPrincipal is how many streams one principal may have open. Defaults to 0, no limit.
	MaxClientsPerPrincipal int

	// KickTopic is the topic on which instances tell each other of calls of [Router.Kick], by KickPublisher and
	// UpstreamSubscriber. Defaults to none: Kick ends streams of this instance only.
	KickTopic string

	// KickPublisher publishes on KickTopic. Required with it.
	KickPublisher message.Publisher

	// QueueSize is how many messages may wait for one client of an adapter that is not an [Adapter]. A client
	// that falls further behind is disconnected, and starts afresh when it reconnects. Defaults to 256.
	QueueSize int

	// DrainWindow is the time over which the clients of a router that closes come back. Each is told a random
	// reconnection time between Retry/2 and Retry/2 + DrainWindow. Defaults to 5s.
	DrainWindow time.Duration

	// CloseTimeout is how long [Router.Close] waits for streams and loads to end. Defaults to 10s.
	CloseTimeout time.Duration

	// MeterProvider takes the router's metrics. Defaults to OpenTelemetry's global one.
	MeterProvider metric.MeterProvider

	// TracerProvider takes the spans of the loads that sampled messages cause. Defaults to OpenTelemetry's global
	// one.
	TracerProvider trace.TracerProvider

	// PublishTime returns when a message was published, for the metric of how long a change takes to the clients.
	// Defaults to when the router receives it, since Watermill's messages do not say.
	PublishTime func(msg *message.Message) time.Time
}

func (c *RouterConfig) setDefaults() {
	if c.ErrorHandler == nil {
		c.ErrorHandler = DefaultErrorHandler
	}
	if c.Marshaler == nil {
		c.Marshaler = watermillhttp.JSONSSEMarshaler{}
	}
	config.Default(&c.Heartbeat, 15*time.Second)
	config.Default(&c.Retry, 3*time.Second)
	config.Default(&c.WriteTimeout, 5*time.Second)
	config.Default(&c.Resync, 30*time.Second)
	config.Default(&c.LoadTimeout, 10*time.Second)
	config.Default(&c.ConcurrentLoads, 16)
	config.Default(&c.MaxBackoff, max(5*time.Second, c.MinBackoff))
	config.Default(&c.MinBackoff, min(100*time.Millisecond, c.MaxBackoff))
	config.Default(&c.MaxFrameBytes, 1<<20)
	config.Default(&c.QueueSize, 256)
	config.Default(&c.DrainWindow, 5*time.Second)
	config.Default(&c.CloseTimeout, 10*time.Second)
	if c.ClientAddress == nil {
		c.ClientAddress = RemoteAddress
	}
	telemetry.Defaults(&c.MeterProvider, &c.TracerProvider)
	if c.PublishTime == nil {
		c.PublishTime = func(*message.Message) time.Time { return time.Now() }
	}
}

// Validate returns everything that is wrong with the configuration, joined. Fields that have a default may be zero.
func (c RouterConfig) Validate() error {
	var p config.Problems
	if c.Heartbeat != Off {
		config.NotNegative(&p, "Heartbeat", c.Heartbeat)
	}
	config.NotNegative(&p, "Retry", c.Retry)
	config.NotNegative(&p, "WriteTimeout", c.WriteTimeout)
	if c.Resync != Off {
		config.NotNegative(&p, "Resync", c.Resync)
	}
	config.NotNegative(&p, "LoadTimeout", c.LoadTimeout)
	config.NotNegative(&p, "ConcurrentLoads", c.ConcurrentLoads)
	config.Bounds(&p, "MinBackoff", c.MinBackoff, "MaxBackoff", c.MaxBackoff)
	config.NotNegative(&p, "MinLoadInterval", c.MinLoadInterval)
	config.NotNegative(&p, "MaxFrameBytes", c.MaxFrameBytes)
	config.NotNegative(&p, "MaxClients", c.MaxClients)
	config.NotNegative(&p, "MaxClientsPerKey", c.MaxClientsPerKey)
	config.NotNegative(&p, "MaxClientsPerAddress", c.MaxClientsPerAddress)
	config.NotNegative(&p, "MaxClientsPerPrincipal", c.MaxClientsPerPrincipal)
	p.Check(c.MaxClientsPerPrincipal == 0 || c.Principal != nil, "MaxClientsPerPrincipal needs a Principal")
	p.Check(c.KickTopic == "" || c.KickPublisher != nil && c.UpstreamSubscriber != nil,
		"KickTopic needs a KickPublisher and an UpstreamSubscriber")
	config.NotNegative(&p, "QueueSize", c.QueueSize)
	config.NotNegative(&p, "DrainWindow", c.DrainWindow)
	config.NotNegative(&p, "CloseTimeout", c.CloseTimeout)

	return p.Join()
}
