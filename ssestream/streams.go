package ssestream

import (
	"errors"
	"fmt"
	"go/token"
	"net/http"
	"slices"
	"strings"

	watermillhttp "github.com/ThreeDotsLabs/watermill-http/v2/pkg/http"
)

// Stream is one kind of resource among those that a handler of [Router.AddStreamsHandler] serves on one connection.
type Stream struct {
	// Pattern is what the stream's names look like: a name as it is, such as "feeds", or one that ends with a
	// wildcard, such as "feed:{name}", which stands for anything that is not empty. The adapter finds what the
	// wildcard stood for by the request's PathValue, as http.ServeMux would have set it; so it serves the resource's
	// own URL and its stream alike, where the wildcards of both have the name that the adapter asks for. A name without a wildcard goes before, and of several wildcards the one with
	// the longest beginning.
	Pattern string
	// Topics announce the state's changes, see [Router.AddTopicsHandler].
	Topics []string
	// Adapter has to be an [*Adapter].
	Adapter watermillhttp.StreamAdapter
}

// AddStreamsHandler answers an HTTP handler that serves several resources at once on one connection, of which a
// browser has six a host on HTTP/1.1. The query names them:
//
//	new EventSource("/streams?stream=feeds&stream=feed:go")
//
// Each state is an event named by its stream. All of them have one event ID, of at most 128 ASCII characters, which
// carries the versions of all streams of the connection and resumes them on any instance, also where the client
// comes back for other streams than before. A new EventSource cannot send the ID of the one before in a header, so
// it may as well come in the query as lastEventId.
//
// A stream that is unknown or refused, or whose state is gone, is told by an event named "problem" with a problem
// document that has the name in "stream"; the others go on, and so does a stream whose state comes back. A request
// has to name 1 to [MaxStreams] streams. A plain request is answered with all states at once.
//
// Rooms are shared with the other handlers of the same adapter and topics.
func (r *Router) AddStreamsHandler(streams ...Stream) (http.HandlerFunc, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	h := &streamsHandler{router: r, names: map[string]*kind{}}
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

	for _, k := range h.all() {
		k.rooms = r.roomsLocked(r.upstreamsLocked(k.topics), k.adapter)
	}

	return r.route(r.visits(h.visit), h.serveState), nil
}

// kind is a pattern and the rooms behind it.
type kind struct {
	prefix   string // or the whole name
	wildcard string // the name of the path value, empty if there is none
	topics   []string
	adapter  roomAdapter
	rooms    *roomHandler
}

func (h *streamsHandler) add(s Stream) error {
	k, err := parsePattern(s.Pattern)
	if err != nil {
		return err
	}
	if len(s.Topics) == 0 {
		return errors.New("no topics")
	}
	for _, other := range h.all() {
		if other.prefix == k.prefix && (other.wildcard == "") == (k.wildcard == "") {
			return errors.New("another stream has the same names")
		}
	}
	a, ok := s.Adapter.(sharing)
	if !ok {
		return fmt.Errorf("%T is not an Adapter", s.Adapter)
	}
	if k.adapter, ok = a.shared(s.Adapter); !ok {
		return fmt.Errorf("%T has methods of its own around an Adapter, which would not be called", s.Adapter)
	}
	k.topics = s.Topics
	if k.wildcard == "" {
		h.names[k.prefix] = k
	} else {
		h.prefixes = append(h.prefixes, k)
	}

	return nil
}

func (h *streamsHandler) all() []*kind {
	all := h.prefixes
	for _, k := range h.names {
		all = append(slices.Clip(all), k)
	}

	return all
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
	wildcard, ok := strings.CutSuffix(rest, "}")
	if !ok || prefix == "" || !token.IsIdentifier(wildcard) {
		return nil, errors.New("a wildcard is an identifier in braces, after something, and the end of its pattern")
	}

	return &kind{prefix: prefix, wildcard: wildcard}, nil
}

// find answers the route of a stream's name and the request as its adapter sees it.
func (h *streamsHandler) find(name string, r *http.Request) (*kind, *http.Request, error) {
	if err := validStreamName(name); err != nil {
		return nil, nil, &StatusError{Status: http.StatusBadRequest, Err: err}
	}
	if k, ok := h.names[name]; ok {
		return k, r, nil
	}
	var best *kind
	for _, k := range h.prefixes {
		if strings.HasPrefix(name, k.prefix) && len(name) > len(k.prefix) &&
			(best == nil || len(k.prefix) > len(best.prefix)) {
			best = k
		}
	}
	if best == nil {
		return nil, nil, &StatusError{Status: http.StatusNotFound, Err: ErrNoStream}
	}
	r = r.Clone(r.Context())
	r.SetPathValue(best.wildcard, strings.TrimPrefix(name, best.prefix))

	return best, r, nil
}
