package ssestream

import (
	"errors"
	"fmt"
	"go/token"
	"net/http"
	"strings"
	"unicode/utf8"

	"github.com/feedmill/feedmill/ssestream/internal/wire"
)

// MaxStreams is the most streams that one connection carries. A token for each has to fit into one event ID.
const MaxStreams = wire.MaxStreams

// Stream is one kind of resource among those that a handler of [Router.AddStreamsHandler] serves on one connection.
type Stream struct {
	// Pattern matches the names of its streams. It is a name, such as "feeds", or a prefix and a wildcard, such as
	// "feed:{name}", which matches any text that is not empty. The adapter reads that text by the request's PathValue,
	// as if http.ServeMux had set it, so one adapter serves a resource's own URL and its stream. A name takes precedence
	// over a wildcard, and a longer prefix over a shorter one. "error", "open", "problem", "heartbeat" and "message" are
	// no names of streams. A name has at most 4,096 bytes. Each event of the stream repeats it.
	Pattern string
	// Topics announce the state's changes, see [Router.AddTopicsHandler].
	Topics []string
	// Adapter serves the state.
	Adapter TypedAdapter
}

// AddStreamsHandler returns an HTTP handler that serves several resources at once, on one connection or in one plain
// response. A browser has only six connections to a host on HTTP/1.1. The query names the resources:
//
//	new EventSource("/streams?stream=feeds&stream=feed:go")
//
// Each state is an event named by its stream. An event ID stands for the states of all streams. It resumes the connection
// on any instance, also for other streams. A client may send it as lastEventId in the query. With heartbeat in the query,
// heartbeats are events of that name, for scripts. The first begins the stream. Its data is the milliseconds to the next.
//
// An event named "problem" tells of a stream that is unknown (status 404) or refused, or whose state is gone or stale. Its
// data is a problem document that names the stream. The others go on. A connection with a stream that the application
// refused ends after about five minutes, so that the client asks again.
//
// A request names 1 to [MaxStreams] streams; any other number has status 400. If all are unknown or refused, the response
// has the status of the first. Rooms are shared with the other handlers of the adapter and topics.
func (r *Router) AddStreamsHandler(streams ...Stream) (http.HandlerFunc, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	h := &streamsHandler{router: r}
	var errs []error
	for _, s := range streams {
		if err := h.add(s); err != nil {
			errs = append(errs, fmt.Errorf("stream %q: %w", s.Pattern, err))
		}
	}
	if len(streams) == 0 {
		errs = append(errs, errors.New("no streams"))
	}
	if err := errors.Join(errs...); err != nil {
		return nil, fmt.Errorf("add streams handler: %w", err)
	}
	wants := WantsStream
	for _, k := range h.kinds {
		k.handler = r.handlerLocked(k.topics, k.adapter)
		k.form = k.handler.formLocked(k.adapter.form)
		if k.adapter.form.html {
			wants = wantsHTMLStream
		}
	}

	return r.reads(r.route(wants, r.stream(h.prepare), h.serveState, true)), nil
}

// kind is a pattern and its handler.
type kind struct {
	prefix   string // or the whole name
	wildcard string // the name of the path value, empty if there is none
	topics   []string
	adapter  served
	handler  *handler
	form     int // of the handler's
}

func (h *streamsHandler) add(s Stream) error {
	k, err := parsePattern(s.Pattern)
	if err != nil {
		return err
	}
	if len(s.Topics) == 0 {
		return errors.New("no topics")
	}
	for _, other := range h.kinds {
		if other.prefix == k.prefix && (other.wildcard == "") == (k.wildcard == "") {
			return errors.New("another stream has the same names")
		}
	}
	if s.Adapter == nil {
		return errors.New("no adapter")
	}
	var ok bool
	if k.adapter, ok = unwrapped(s.Adapter); !ok {
		return fmt.Errorf("%T embeds an Adapter, and its own methods would not be called", s.Adapter)
	}
	k.topics = s.Topics
	h.kinds = append(h.kinds, k)

	return nil
}

func parsePattern(pattern string) (*kind, error) {
	if pattern == "" {
		return nil, errors.New("pattern is empty")
	}
	if err := validStreamName(pattern); err != nil {
		return nil, err
	}
	prefix, rest, ok := strings.Cut(pattern, "{")
	if !ok {
		return &kind{prefix: pattern}, nil
	}
	wildcard, closed := strings.CutSuffix(rest, "}")
	switch {
	case prefix == "":
		return nil, errors.New("a wildcard needs text before it, such as \"feed:{name}\": " +
			"alone it would match every name, among them those of events such as \"problem\"")
	case !closed || !token.IsIdentifier(wildcard):
		return nil, errors.New("a wildcard is an identifier in braces at the end of its pattern")
	}

	return &kind{prefix: prefix, wildcard: wildcard}, nil
}

// maxStreamName bounds the names of streams, which become event names: each update repeats the name. A union of 200 feeds has
// room. A query with one such name is up to 12 KB long, since other bytes than letters, digits and "-_.~" take three there.
// Many proxies refuse a request line of more than 8 KB.
const maxStreamName = 4096

// validStreamName returns why name cannot name a stream, if it cannot.
func validStreamName(name string) error {
	switch {
	case name == wire.Message || wire.Reserved(name) || strings.HasPrefix(name, wire.AppendEventName+" "):
		return fmt.Errorf("%q has another meaning to a client than that of a stream", name)
	case len(name) > maxStreamName:
		return fmt.Errorf("the name of a stream has %d bytes, at most %d are allowed", len(name), maxStreamName)
	case !utf8.ValidString(name) || strings.ContainsAny(name, "\r\n\x00"):
		return errors.New("the name of a stream is UTF-8 without line breaks and NUL")
	default:
		return nil
	}
}

// find returns the kind of a stream by its name, and the request as the adapter sees it.
func (h *streamsHandler) find(name string, r *http.Request) (*kind, *http.Request, error) {
	if err := validStreamName(name); err != nil {
		return nil, nil, &StatusError{Status: http.StatusBadRequest, Err: err}
	}
	var best *kind
	for _, k := range h.kinds {
		switch rest, ok := strings.CutPrefix(name, k.prefix); {
		case !ok:
		case k.wildcard == "" && rest == "":
			return k, r, nil
		case k.wildcard != "" && rest != "" && (best == nil || len(k.prefix) > len(best.prefix)):
			best = k
		}
	}
	if best == nil {
		return nil, nil, &StatusError{Status: http.StatusNotFound, Err: errors.New("there is no such stream")}
	}
	r = r.Clone(r.Context())
	r.SetPathValue(best.wildcard, strings.TrimPrefix(name, best.prefix))

	return best, r, nil
}
