package ssestream

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"time"

	"github.com/ThreeDotsLabs/watermill"
	watermillhttp "github.com/ThreeDotsLabs/watermill-http/v2/pkg/http"
	"github.com/ThreeDotsLabs/watermill/message"

	"github.com/feedmill/feedmill/internal/config"
	"github.com/feedmill/feedmill/internal/telemetry"
	"github.com/feedmill/feedmill/ssestream/internal/wire"
)

// AllKeys among the keys of AdapterBuilder.EventKeys stands for every key that anybody follows.
const AllKeys = "\x00all keys"

// AdapterBuilder says, in functions, which state a request follows, which events announce its change, and how
// it is loaded. E is the event that announces a change, R the state that clients see. The functions are called
// concurrently.
type AdapterBuilder[E, R any] struct {
	// RequestKey returns the key of the state that the request follows. Requests with the same key share loads
	// and bytes, so the key must contain everything that the state depends on. An error without a status (see
	// [StatusError]) is answered with 400. Required.
	RequestKey func(r *http.Request) (string, error)

	// EventKeys returns the keys whose state the event may have changed; [AllKeys] stands for all of them. It is
	// called once for an event, whether anybody follows the keys or not, in the order of the events, and must not
	// block. Required.
	EventKeys func(event E) []string

	// Load returns the key's state as of the call or later. It is called once for a change and key, however
	// many clients follow it, and by one goroutine at a time for all of them. A [StatusError] of 400 to 499, such as
	// 404 for a state that does not exist, ends the requests for the key. After any other error the clients keep
	// what they have while Load is tried again. Required.
	Load func(ctx context.Context, key string) (R, error)

	// Decode returns the event of a message. An error makes all of the handler's keys reload, for the message
	// may be about any of them. Defaults to decoding the payload as JSON.
	Decode func(msg *message.Message) (E, error)

	// Authorize refuses a request by an error, which is answered with 403 if it has no status. It is called
	// when the request comes, not again while a stream lasts. Defaults to allowing everything.
	Authorize func(r *http.Request, key string) error

	// Expires returns when a stream has to end, for example with its session. The client then reconnects and is
	// authorized again. The zero time means never. Defaults to never.
	Expires func(r *http.Request) time.Time

	// Version returns the version of a state: two states of a key with the same version count as the same, on every
	// instance. It becomes the event ID and the entity tag. One that does not fit there (printable ASCII
	// without quote or space, at most 128 bytes) is replaced by its hash, and an empty one by the default.
	// Defaults to a short hash of the state's JSON.
	Version func(state R) string

	// Logger receives failures while the adapter is used by a router that is not a [Router], which leaves them to
	// adapters. Defaults to slog.Default.
	Logger watermill.LoggerAdapter
}

// Build returns the adapter, or an error that says all that is missing from the builder.
func (b AdapterBuilder[E, R]) Build() (*Adapter[E, R], error) {
	var p config.Problems
	p.Require(b.RequestKey != nil, "RequestKey")
	p.Require(b.EventKeys != nil, "EventKeys")
	p.Require(b.Load != nil, "Load")
	if err := p.Join(); err != nil {
		return nil, fmt.Errorf("adapter: %w", err)
	}
	if b.Decode == nil {
		b.Decode = decodeJSON[E]
	}
	b.Logger = telemetry.Logger(b.Logger)

	return &Adapter[E, R]{build: b}, nil
}

func decodeJSON[E any](msg *message.Message) (E, error) {
	var event E
	if err := json.Unmarshal(msg.Payload, &event); err != nil {
		return event, fmt.Errorf("decode message %s as JSON: %w", msg.UUID, err)
	}

	return event, nil
}

// Adapter is what [AdapterBuilder] builds. In a [Router] its clients share loads and bytes. It is also a
// watermillhttp.StreamAdapter for any other router, where every client loads for itself. It is safe for concurrent
// use.
type Adapter[E, R any] struct {
	build AdapterBuilder[E, R]
}

// TypedAdapter is an [*Adapter] of any types; no other type implements it.
type TypedAdapter interface {
	watermillhttp.StreamAdapter

	loader() loader
}

// loader is what a router needs of an [Adapter], its types aside.
type loader interface {
	admit(r *http.Request) (key string, expires time.Time, err error)
	eventKeys(msg *message.Message) ([]string, error)
	load(ctx context.Context, key string) (loaded, error)
}

func (a *Adapter[E, R]) loader() loader { return a }

// unwrapped returns what a router needs of a [*Adapter]. A type that embeds one may have methods of its own that
// have to be called, so it is not unwrapped.
func unwrapped(adapter watermillhttp.StreamAdapter) (loader, bool) {
	typed, ok := adapter.(TypedAdapter)
	if !ok {
		return nil, false
	}
	l := typed.loader()

	return l, any(l) == any(adapter)
}

// admit returns which key the request follows, and until when.
func (a *Adapter[E, R]) admit(r *http.Request) (string, time.Time, error) {
	key, err := a.build.RequestKey(r)
	if err != nil {
		return "", time.Time{}, fmt.Errorf("find key of request: %w", withStatus(http.StatusBadRequest, err))
	}
	if a.build.Authorize != nil {
		if err := a.build.Authorize(r, key); err != nil {
			return "", time.Time{}, fmt.Errorf("authorize %q: %w", key, withStatus(http.StatusForbidden, err))
		}
	}
	if a.build.Expires == nil {
		return key, time.Time{}, nil
	}
	expires := a.build.Expires(r)
	if !expires.IsZero() && !expires.After(time.Now()) {
		return "", time.Time{}, fmt.Errorf("authorize %q: %w", key, withStatus(http.StatusUnauthorized, ErrExpired))
	}

	return key, expires, nil
}

// eventKeys returns the keys that the message is about. A panic is an error: the message counts as one that cannot be
// decoded, and must not end the process on every instance.
func (a *Adapter[E, R]) eventKeys(msg *message.Message) (keys []string, err error) {
	defer recovered(&err, "decode message")
	event, err := a.build.Decode(msg)
	if err != nil {
		return nil, err
	}

	return a.build.EventKeys(event), nil
}

// load loads and encodes the key's state. A panic in Load is an error, for it would end the process where
// net/http would only end the request.
func (a *Adapter[E, R]) load(ctx context.Context, key string) (l loaded, err error) {
	defer recovered(&err, "load state")
	value, err := a.build.Load(ctx, key)
	if err != nil {
		return loaded{}, fmt.Errorf("load %q: %w", key, err)
	}
	encoded, err := encodeJSON(value)
	if err != nil {
		return loaded{}, fmt.Errorf("load %q: %w", key, err)
	}
	var version string
	if a.build.Version != nil {
		version = a.build.Version(value)
	}

	return loaded{value: value, json: encoded, version: wire.EventID(version, encoded)}, nil
}

// concerns reports whether the message is or may be about key.
func (a *Adapter[E, R]) concerns(msg *message.Message, key string) bool {
	keys, err := a.eventKeys(msg)
	if err != nil {
		a.build.Logger.Error("Message cannot be decoded, state is loaded again", err, watermill.LogFields{
			"message_uuid": msg.UUID, "key": key,
		})

		return true
	}

	return slices.Contains(keys, key) || slices.Contains(keys, AllKeys)
}
