package ssestream

import (
	"errors"
	"fmt"
	"net/http"
	"time"

	watermillhttp "github.com/ThreeDotsLabs/watermill-http/v2/pkg/http"
	"github.com/ThreeDotsLabs/watermill/message"
	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/metric"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/trace"
)

// Off switches off what a [RouterConfig] field times, where the field's comment says so.
const Off time.Duration = -1

// RouterConfig configures a [Router]. Its first three fields are those of watermillhttp.SSERouterConfig.
type RouterConfig struct {
	// UpstreamSubscriber delivers the messages. Every process must receive every message, so it must not share
	// them with other processes (no consumer group). The router subscribes to each topic once and never closes
	// the subscriber. Without it messages come only by [Router.Publish].
	UpstreamSubscriber message.Subscriber

	// ErrorHandler answers requests that fail before anything was sent. Use [StatusOf] in it.
	// Defaults to [DefaultErrorHandler].
	ErrorHandler watermillhttp.HandleErrorFunc

	// Marshaler turns a response into an SSE event. For an [Adapter] it is called once a state, not once a
	// client, and must not use the event names "error" and "open". Defaults to watermillhttp.JSONSSEMarshaler,
	// which for an [Adapter] stands for compact JSON in an event named "data".
	Marshaler watermillhttp.SSEMarshaler

	// Heartbeat is how long a stream may be silent before a comment is sent. It is also the longest that a
	// stream waits for its first state before it is opened without one. [Off] sends none. Defaults to 15s.
	Heartbeat time.Duration

	// Retry is the reconnection time that clients are told, each a random one between Retry/2 and 3*Retry/2 so
	// that they do not come back as one. Defaults to 3s.
	Retry time.Duration

	// WriteTimeout is how long one write to a client may take before the client is dropped. It takes the place
	// of the server's own WriteTimeout for streams, unless middleware hides the deadlines, see the package's
	// comment. Defaults to 5s.
	WriteTimeout time.Duration

	// Resync is the time between two reloads of all rooms, give or take a tenth, which heals whatever was
	// missed. Nothing is sent where nothing changed. [Off] does none. Defaults to 30s.
	Resync time.Duration

	// LoadTimeout is how long one Load may take, by its context. Defaults to 10s.
	LoadTimeout time.Duration

	// ConcurrentLoads is how many rooms of the router load at once, so that the store is not flooded. A reload of all
	// rooms takes no more than half of them. Defaults to 16.
	ConcurrentLoads int

	// MinBackoff is the first pause after a failed load or a lost upstream subscription; it doubles up to
	// MaxBackoff and is jittered by half. Defaults to 100ms.
	MinBackoff time.Duration

	// MaxBackoff bounds the pauses that begin with MinBackoff. Defaults to 5s, or MinBackoff where that is more.
	MaxBackoff time.Duration

	// MinLoadInterval is the least time between the starts of two loads of a room. What changes meanwhile, and who
	// joins meanwhile, waits for the next load; it bounds what a hot key, or a crowd that reconnects, costs the
	// store. The first load of a room is not put off, and a load that failed has its backoff instead. Defaults to 0,
	// which loads as soon as the load before has ended.
	MinLoadInterval time.Duration

	// MaxFrameBytes is how large the event of one state may be. A larger state is taken as a load that failed: it
	// is logged, clients keep what they have, and it is tried again. A larger response of an adapter that is not an
	// [Adapter] is taken as one that cannot be encoded: it is logged, and an event "error" is in its place. What a
	// connection of several streams adds to an event, its own name and ID, does not count, and plain requests have no
	// such limit. Defaults to 1 MiB.
	MaxFrameBytes int

	// MaxClients is how many streams may be open at once, those included that wait for Run or for their first state. A
	// connection of several streams is one. One that is too many is answered like any stream, with a reconnection time,
	// and ended at once, for a status of 503 would stop an EventSource for good; so are those above the two limits that
	// follow. Plain requests are not limited. Defaults to 0, for no limit.
	MaxClients int

	// MaxClientsPerKey is how many clients may follow one key of an [Adapter]. On a connection of several streams the
	// one that is too many is told by a problem of status 503, and the others go on. Defaults to 0, for no limit.
	MaxClientsPerKey int

	// MaxClientsPerAddress is how many streams one client address may have open. Defaults to 0, for no limit.
	MaxClientsPerAddress int

	// ClientAddress answers what MaxClientsPerAddress counts by. Behind a proxy use [TrustedProxies], or all
	// clients are one. Defaults to [RemoteAddress].
	ClientAddress func(r *http.Request) string

	// QueueSize is how many messages may wait for one client of an adapter that is not an [Adapter]. A client
	// that falls further behind is disconnected, and starts afresh when it reconnects. Defaults to 256.
	QueueSize int

	// DrainWindow is the time over which the clients of a router that closes are to come back: each is told a
	// random reconnection time between Retry/2 and Retry/2 + DrainWindow. Defaults to 5s.
	DrainWindow time.Duration

	// MeterProvider takes the router's metrics, see the package's comment. Defaults to OpenTelemetry's global one.
	MeterProvider metric.MeterProvider

	// TracerProvider takes the spans of what sampled messages cause: a load for each key, and the writes of its
	// state. Defaults to OpenTelemetry's global one.
	TracerProvider trace.TracerProvider

	// Propagator reads the trace context out of a message's metadata. Defaults to that of W3C (traceparent).
	Propagator propagation.TextMapPropagator

	// PublishTime answers when a message was published, for the metric of how long a change takes to the clients.
	// Defaults to when the router receives it, since Watermill's messages do not say.
	PublishTime func(msg *message.Message) time.Time

	// CloseTimeout is how long [Router.Close] waits for streams and loads to end. Defaults to 10s.
	CloseTimeout time.Duration
}

func (c *RouterConfig) setDefaults() {
	if c.ErrorHandler == nil {
		c.ErrorHandler = DefaultErrorHandler
	}
	if c.Marshaler == nil {
		c.Marshaler = watermillhttp.JSONSSEMarshaler{}
	}
	for _, d := range []struct {
		field *time.Duration
		value time.Duration
	}{
		{&c.Heartbeat, 15 * time.Second},
		{&c.Retry, 3 * time.Second},
		{&c.WriteTimeout, 5 * time.Second},
		{&c.Resync, 30 * time.Second},
		{&c.LoadTimeout, 10 * time.Second},
		{&c.MinBackoff, 100 * time.Millisecond},
		{&c.MaxBackoff, max(5*time.Second, c.MinBackoff)},
		{&c.DrainWindow, 5 * time.Second},
		{&c.CloseTimeout, 10 * time.Second},
	} {
		if *d.field == 0 {
			*d.field = d.value
		}
	}
	for _, n := range []struct {
		field *int
		value int
	}{
		{&c.ConcurrentLoads, 16},
		{&c.MaxFrameBytes, 1 << 20},
		{&c.QueueSize, 256},
	} {
		if *n.field == 0 {
			*n.field = n.value
		}
	}
	c.setTelemetryDefaults()
	if c.ClientAddress == nil {
		c.ClientAddress = RemoteAddress
	}
}

func (c *RouterConfig) setTelemetryDefaults() {
	if c.MeterProvider == nil {
		c.MeterProvider = otel.GetMeterProvider()
	}
	if c.TracerProvider == nil {
		c.TracerProvider = otel.GetTracerProvider()
	}
	if c.Propagator == nil {
		c.Propagator = propagation.TraceContext{}
	}
	if c.PublishTime == nil {
		c.PublishTime = func(*message.Message) time.Time { return time.Now() }
	}
}

// Validate reports everything that is wrong with the configuration, joined. Zero values are right where the
// field has a default.
func (c RouterConfig) Validate() error {
	var errs []error
	for _, d := range []struct {
		name   string
		value  time.Duration
		canOff bool
	}{
		{"Heartbeat", c.Heartbeat, true},
		{"Retry", c.Retry, false},
		{"WriteTimeout", c.WriteTimeout, false},
		{"Resync", c.Resync, true},
		{"LoadTimeout", c.LoadTimeout, false},
		{"MinBackoff", c.MinBackoff, false},
		{"MaxBackoff", c.MaxBackoff, false},
		{"DrainWindow", c.DrainWindow, false},
		{"CloseTimeout", c.CloseTimeout, false},
		{"MinLoadInterval", c.MinLoadInterval, false},
	} {
		if d.value < 0 && (!d.canOff || d.value != Off) {
			errs = append(errs, fmt.Errorf("%s is negative: %s", d.name, d.value))
		}
	}
	if c.MaxBackoff > 0 && c.MaxBackoff < c.MinBackoff {
		errs = append(errs, fmt.Errorf("MaxBackoff %s is less than MinBackoff %s", c.MaxBackoff, c.MinBackoff))
	}
	for _, n := range []struct {
		name  string
		value int
	}{
		{"ConcurrentLoads", c.ConcurrentLoads},
		{"MaxFrameBytes", c.MaxFrameBytes},
		{"MaxClients", c.MaxClients},
		{"MaxClientsPerKey", c.MaxClientsPerKey},
		{"MaxClientsPerAddress", c.MaxClientsPerAddress},
		{"QueueSize", c.QueueSize},
	} {
		if n.value < 0 {
			errs = append(errs, fmt.Errorf("%s is negative: %d", n.name, n.value))
		}
	}

	return errors.Join(errs...)
}
