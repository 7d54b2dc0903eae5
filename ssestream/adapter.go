package ssestream

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"slices"
	"sync/atomic"
	"time"

	"github.com/ThreeDotsLabs/watermill"
	watermillhttp "github.com/ThreeDotsLabs/watermill-http/v2/pkg/http"
	"github.com/ThreeDotsLabs/watermill/message"

	"github.com/feedmill/feedmill/internal/config"
	"github.com/feedmill/feedmill/internal/reload"
	"github.com/feedmill/feedmill/internal/telemetry"
	"github.com/feedmill/feedmill/ssestream/internal/room"
)

// AllKeys among the keys of AdapterBuilder.EventKeys stands for every key that anybody follows, and among those of
// [DependOn] for every key of an event.
const AllKeys = room.AllKeys

// MaxDependencies is how many keys a state may depend on beside its own. See [DependOn].
const MaxDependencies = room.MaxDependencies

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
	// block. It is not called for the message by which a rebuild or a repair says that anything may have changed: all
	// keys reload. Required.
	EventKeys func(event E) []string

	// Load returns the key's state as of the call or later. It is called once for a change and key, however many
	// clients follow the key, and by one goroutine at a time. It must return when ctx ends. A [StatusError] of 400 to
	// 499, such as 404 for a state that does not exist, ends the requests for the key. After any other error the clients
	// keep what they have, and Load is tried again. A state that depends on other keys too, such as a timeline on many
	// feeds, tells them by [DependOn]. Required.
	Load func(ctx context.Context, key string) (R, error)

	// Decode returns the event of a message. An error makes all of the handler's keys reload, for the message
	// may be about any of them. Defaults to decoding the payload as JSON.
	Decode func(msg *message.Message) (E, error)

	// Authorize refuses a request by an error, which is answered with 403 if it has no status. It is called
	// when the request comes, and again while a stream lasts if [Router.Kick] says so. Defaults to allowing everything.
	Authorize func(r *http.Request, key string) error

	// Expires returns when a stream has to end, for example with its session. The client then reconnects and is
	// authorized again. The zero time means never. Defaults to never.
	Expires func(r *http.Request) time.Time

	// Version returns the version of a state. The entity tags of plain responses begin with it and a dot, so that If-Match
	// can guard a command by it, see cqrsfeed.IfMatch. Behind the dot is a hash of the bytes. The hash alone decides whether
	// a client has a state. Defaults to none.
	Version func(state R) string

	// Render writes a state as HTML, such as by the Execute of a template or the Render of a templ component. Plain
	// requests for text/html get it, and [Adapter.HTML] sends it on streams. It is called once for a state and each such
	// form that somebody follows, not once for a client. After an error those who follow the form are told that their state
	// is stale, and it is tried again; JSON is sent meanwhile. Defaults to none: the states are JSON alone.
	Render func(ctx context.Context, w io.Writer, state R) error

	// Compress compresses streams for clients that accept it. A state that changed little costs some hundred bytes, however
	// large it is. Everything in a state is compressed together, and the length of a compressed state can be seen from
	// outside: who can put text of their own into it and watch the network can guess what stands beside it (BREACH). So set
	// it only where no state has both a secret, such as a token or a private message, and text by others than those who may
	// read it. Plain requests are not compressed. Defaults to no compression.
	Compress bool

	// Append is for states that are texts which grow, such as a log or the answer of a model. A client that has the
	// beginning of a text is sent an event named "append" with what follows, as JSON, whatever it skipped. Other clients are
	// sent the whole text: those that join, and all where the text has changed in another way. On a connection of several
	// streams the event is named "append", a space and the stream's name. States whose JSON is not a string are sent
	// whole. Defaults to sending whole states.
	Append bool

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

	a := &Adapter[E, R]{build: b, form: &form{}}
	a.source = a

	return a, nil
}

func decodeJSON[E any](msg *message.Message) (E, error) {
	var event E
	if err := json.Unmarshal(msg.Payload, &event); err != nil {
		return event, fmt.Errorf("decode message %s as JSON: %w", msg.UUID, err)
	}

	return event, nil
}

// DependOn tells, within a Load, that the state depends on these keys beside its own, such as a timeline on the feeds that
// its user follows. The key is loaded again after an event that has one of them among its EventKeys. ctx is that of Load.
//
// Load may call it at any time and several times, before or after it reads: an event that comes while the load runs is not
// missed. The keys hold until the key is loaded again, whether Load returns a state or an error.
//
// A state that depends on more than [MaxDependencies] keys, or on [AllKeys], is loaded again after every event of the
// handler's topics. So is one in a router that is not a [Router]. [Router.Kick] goes by the key of a stream alone. In loads
// for plain requests, and elsewhere, DependOn does nothing.
func DependOn(ctx context.Context, keys ...string) { room.DependOn(ctx, keys) }

// Adapter is what [AdapterBuilder] builds. In a [Router] its clients share loads and bytes. It is also a
// watermillhttp.StreamAdapter for any other router, where every client loads for itself. It is safe for concurrent
// use.
type Adapter[E, R any] struct {
	build  AdapterBuilder[E, R]
	source *Adapter[E, R] // the one that was built, of which this is a form
	form   *form

	depends atomic.Bool // a load has called DependOn, in a router that is not a Router
}

// TypedAdapter is an [*Adapter] of any types; no other type implements it.
type TypedAdapter interface {
	watermillhttp.StreamAdapter

	served() served
}

// served is an adapter as a router sees it.
type served struct {
	self     any    // the adapter itself
	states   loader // where the states are from
	renders  bool   // they are also HTML
	compress bool   // their streams may be compressed
	appends  bool   // of texts that grow only the end is sent
	form     *form  // what streams carry of them
}

// loader is what a router needs of an [Adapter], its types aside.
type loader interface {
	admit(r *http.Request) (key string, expires time.Time, err error)
	eventKeys(msg *message.Message) ([]string, error)
	load(ctx context.Context, key string) (state any, err error)
	version(state any) string
	rendered(ctx context.Context, state any) ([]byte, error)
}

func (a *Adapter[E, R]) served() served {
	return served{
		self: a, states: a.source, renders: a.build.Render != nil, compress: a.build.Compress, appends: a.build.Append,
		form: a.form,
	}
}

// unwrapped returns what a router needs of a [*Adapter]. A type that embeds one may have methods of its own that
// have to be called, so it is not unwrapped.
func unwrapped(adapter watermillhttp.StreamAdapter) (served, bool) {
	typed, ok := adapter.(TypedAdapter)
	if !ok {
		return served{}, false
	}
	s := typed.served()

	return s, s.self == any(adapter)
}

// admit returns which key the request follows, and until when.
func (a *Adapter[E, R]) admit(r *http.Request) (string, time.Time, error) {
	key, err := a.build.RequestKey(rewound(r))
	if err != nil {
		return "", time.Time{}, fmt.Errorf("find key of request: %w", withStatus(http.StatusBadRequest, err))
	}
	if a.build.Authorize != nil {
		if err := a.build.Authorize(rewound(r), key); err != nil {
			return "", time.Time{}, fmt.Errorf("authorize %q: %w", key, withStatus(http.StatusForbidden, err))
		}
	}
	if a.build.Expires == nil {
		return key, time.Time{}, nil
	}
	expires := a.build.Expires(rewound(r))
	if !expires.IsZero() && !expires.After(time.Now()) {
		return "", time.Time{}, fmt.Errorf("authorize %q: %w", key, withStatus(http.StatusUnauthorized, ErrExpired))
	}

	return key, expires, nil
}

// eventKeys returns the keys that the message is about. A panic is an error: the message counts as one that cannot be
// decoded, and must not end the process on every instance.
func (a *Adapter[E, R]) eventKeys(msg *message.Message) (keys []string, err error) {
	defer recovered(&err, "decode message")
	if reload.Marked(msg) {
		return []string{AllKeys}, nil
	}
	event, err := a.build.Decode(msg)
	if err != nil {
		return nil, err
	}

	return a.build.EventKeys(event), nil
}

// load loads the key's state. A panic is an error, for it would end the process where net/http would only end the
// request.
func (a *Adapter[E, R]) load(ctx context.Context, key string) (state any, err error) {
	defer recovered(&err, "load state")
	state, err = a.build.Load(ctx, key)
	if err != nil {
		return nil, fmt.Errorf("load %q: %w", key, err)
	}

	return state, nil
}

// version returns the state's version, or an empty string.
func (a *Adapter[E, R]) version(state any) string {
	if a.build.Version == nil {
		return ""
	}
	typed, _ := state.(R) // It is one, or nil where R is an interface.

	return a.build.Version(typed)
}

// rendered returns the state as HTML.
func (a *Adapter[E, R]) rendered(ctx context.Context, state any) (html []byte, err error) {
	defer recovered(&err, "render state")
	typed, _ := state.(R) // It is one, or nil where R is an interface.
	var buf bytes.Buffer
	if err := a.build.Render(ctx, &buf, typed); err != nil {
		return nil, fmt.Errorf("render state: %w", err)
	}

	return buf.Bytes(), nil
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

	return a.source.depends.Load() || slices.Contains(keys, key) || slices.Contains(keys, AllKeys)
}

// loadAlone loads the key's state for one client of a router that is not a Router.
func (a *Adapter[E, R]) loadAlone(r *http.Request, key string) (any, error) {
	ctx, told := room.Telling(r.Context())
	state, err := a.build.Load(ctx, key)
	if len(told.Keys()) > 0 {
		a.source.depends.Store(true)
	}

	return state, err
}

// InitialStreamResponse implements watermillhttp.StreamAdapter. It returns the state that the request follows, or
// writes the error by [DefaultErrorHandler].
func (a *Adapter[E, R]) InitialStreamResponse(w http.ResponseWriter, r *http.Request) (response any, ok bool) {
	key, _, err := a.admit(r)
	if err == nil {
		response, err = a.loadAlone(r, key)
	}
	if err != nil {
		a.build.Logger.Error("Request failed", err, watermill.LogFields{"path": r.URL.Path})
		DefaultErrorHandler(w, r, err)

		return nil, false
	}

	return response, true
}

// NextStreamResponse implements watermillhttp.StreamAdapter. It returns the state that the request follows if the
// message is about it. Errors are logged, and nothing is sent for the message.
func (a *Adapter[E, R]) NextStreamResponse(r *http.Request, msg *message.Message) (response any, ok bool) {
	r = rewound(r)
	key, err := a.build.RequestKey(r)
	if err == nil {
		if !a.concerns(msg, key) {
			return nil, false
		}
		response, err = a.loadAlone(r, key)
	}
	if err != nil {
		a.build.Logger.Error("Message is skipped", err, watermill.LogFields{
			"message_uuid": msg.UUID, "path": r.URL.Path,
		})

		return nil, false
	}

	return response, true
}
