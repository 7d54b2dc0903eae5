package ssestream

import (
	"errors"
	"fmt"
	"time"

	watermillhttp "github.com/ThreeDotsLabs/watermill-http/v2/pkg/http"
	"github.com/ThreeDotsLabs/watermill/message"
)

// Off switches off what a [RouterConfig] field times, where the field's comment says so.
const Off time.Duration = -1

// RouterConfig configures a [Router]. Its first three fields are those of watermillhttp.SSERouterConfig.
type RouterConfig struct {
	// UpstreamSubscriber is where the messages come from. Every process needs to hear every message, so it must
	// not share its messages with other processes (no consumer group). The router subscribes to each topic once
	// and never closes the subscriber. Required.
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

	// ConcurrentLoads is how many rooms of the router load at once, so that a reload of all rooms does not
	// flood the store. Defaults to 16.
	ConcurrentLoads int

	// MinBackoff is the first pause after a failed load or a lost upstream subscription; it doubles up to
	// MaxBackoff and is jittered by half. Defaults to 100ms.
	MinBackoff time.Duration

	// MaxBackoff bounds the pauses that begin with MinBackoff. Defaults to 5s.
	MaxBackoff time.Duration

	// QueueSize is how many messages may wait for one client of an adapter that is not an [Adapter]. A client
	// that falls further behind is disconnected, and starts afresh when it reconnects. Defaults to 256.
	QueueSize int

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
		{&c.CloseTimeout, 10 * time.Second},
	} {
		if *d.field == 0 {
			*d.field = d.value
		}
	}
	if c.ConcurrentLoads == 0 {
		c.ConcurrentLoads = 16
	}
	if c.QueueSize == 0 {
		c.QueueSize = 256
	}
}

// Validate reports everything that is wrong with the configuration, joined. Zero values are right where the
// field has a default.
func (c RouterConfig) Validate() error {
	var errs []error
	if c.UpstreamSubscriber == nil {
		errs = append(errs, errors.New("missing UpstreamSubscriber"))
	}
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
		{"CloseTimeout", c.CloseTimeout, false},
	} {
		if d.value < 0 && (!d.canOff || d.value != Off) {
			errs = append(errs, fmt.Errorf("%s is negative: %s", d.name, d.value))
		}
	}
	if c.MaxBackoff > 0 && c.MaxBackoff < c.MinBackoff {
		errs = append(errs, fmt.Errorf("MaxBackoff %s is less than MinBackoff %s", c.MaxBackoff, c.MinBackoff))
	}
	if c.ConcurrentLoads < 0 {
		errs = append(errs, fmt.Errorf("ConcurrentLoads is negative: %d", c.ConcurrentLoads))
	}
	if c.QueueSize < 0 {
		errs = append(errs, fmt.Errorf("QueueSize is negative: %d", c.QueueSize))
	}

	return errors.Join(errs...)
}
