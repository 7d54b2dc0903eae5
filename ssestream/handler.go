package ssestream

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/ThreeDotsLabs/watermill"
	watermillhttp "github.com/ThreeDotsLabs/watermill-http/v2/pkg/http"
	"github.com/ThreeDotsLabs/watermill/message"

	"github.com/feedmill/feedmill/ssestream/internal/observe"
	"github.com/feedmill/feedmill/ssestream/internal/response"
	"github.com/feedmill/feedmill/ssestream/internal/room"
	"github.com/feedmill/feedmill/ssestream/internal/stock"
	"github.com/feedmill/feedmill/ssestream/internal/wire"
)

// AddHandler returns the HTTP handler that serves the adapter, whose state is announced on the topic. It may be
// called before and after Run; a topic is subscribed to once, however many handlers it has. An [*Adapter] is
// served from shared rooms. Any other adapter is asked for every client, in the order of the messages. The
// handler answers with a stream where [WantsStream] says so, and with the state as JSON otherwise. A stream that is
// requested before Run waits for it.
func (r *Router) AddHandler(topic string, adapter watermillhttp.StreamAdapter) http.HandlerFunc {
	return r.AddTopicsHandler([]string{topic}, adapter)
}

// AddTopicsHandler is AddHandler for a state that several topics announce, such as one for updates and one for
// deletions. The adapter receives each topic in its order, without an order between topics. Without topics only
// RouterConfig.Resync brings changes. It panics if the adapter is nil.
func (r *Router) AddTopicsHandler(topics []string, adapter watermillhttp.StreamAdapter) http.HandlerFunc {
	if adapter == nil {
		panic("ssestream: the adapter of a handler is nil")
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if typed, ok := unwrapped(adapter); ok {
		h := r.handlerLocked(topics, typed)

		return r.route(r.stream(h.visit), h.serveState)
	}
	ups := r.upstreamsLocked(topics)
	plain := stock.New(stock.Config{
		Terms: r.terms, Marshaler: r.config.Marshaler, MaxFrameBytes: r.config.MaxFrameBytes,
		QueueSize: r.config.QueueSize, Logger: r.logger,
	}, adapter)
	for _, up := range ups {
		up.listeners = append(slices.Clip(up.listeners), plain)
	}

	return r.route(func(w http.ResponseWriter, req *http.Request) {
		if release, ok := r.admit(w, req, func(ctx context.Context) bool { return ups.wait(ctx, r.closed) }); ok {
			defer release()
			plain.ServeStream(w, req)
		}
	}, plain.ServeState)
}

// handler serves an [Adapter] from rooms. Routes that have the same adapter for the same topics share it.
type handler struct {
	router    *Router
	topics    string // for logs
	upstreams upstreams
	adapter   loader
	rooms     *room.Rooms
}

func (r *Router) handlerLocked(topics []string, adapter loader) *handler {
	ups := r.upstreamsLocked(topics)
	for _, h := range r.handlers {
		if h.adapter == adapter && slices.Equal(h.upstreams, ups) {
			return h
		}
	}
	h := &handler{router: r, topics: strings.Join(topics, ", "), upstreams: ups, adapter: adapter}
	h.rooms = room.New(&r.rooms, h.topics, h.loadShared)
	r.handlers = append(r.handlers, h)
	for _, up := range ups {
		up.listeners = append(slices.Clip(up.listeners), h)
	}

	return h
}

// Deliver marks the rooms that the message is about. A key that nobody follows costs a look-up.
func (h *handler) Deliver(msg *message.Message) {
	keys, err := h.adapter.eventKeys(msg)
	if err != nil {
		h.router.logger.Error("Message cannot be decoded, all keys are loaded again", err, watermill.LogFields{
			"topic": h.topics, "message_uuid": msg.UUID,
		})
	}
	if err != nil || slices.Contains(keys, AllKeys) {
		h.rooms.Refresh(h.router.traces.CauseOf(msg))

		return
	}
	h.rooms.Mark(keys, func() observe.Cause { return h.router.traces.CauseOf(msg) })
}

// Resubscribed heals what the handler may have missed.
func (h *handler) Resubscribed() { h.rooms.Refresh(observe.Cause{}) }

// load loads a key's state.
func (h *handler) load(ctx context.Context, key string) (loaded, error) {
	ctx, cancel := context.WithTimeout(ctx, h.router.config.LoadTimeout)
	defer cancel()
	h.router.metrics.Loads.Add(1)
	defer h.router.metrics.Loaded(ctx, time.Now())

	return h.adapter.load(ctx, key)
}

// loadOnce loads a key's state for one request. The load ends with the request, and with the router.
func (h *handler) loadOnce(ctx context.Context, key string) (loaded, error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	stop := context.AfterFunc(h.router.closed, cancel) //nolint:contextcheck // the load ends with either context
	defer stop()

	l, err := h.load(ctx, key)
	if err != nil {
		h.router.metrics.LoadErrors.Add(1)
	}
	if err != nil && !final(err) && h.router.closed.Err() != nil {
		err = &StatusError{Status: http.StatusServiceUnavailable, Err: fmt.Errorf("%w: %w", ErrClosed, err)}
	}

	return l, err
}

// loadShared loads a key's state and encodes it for all clients.
func (h *handler) loadShared(ctx context.Context, key string) (state *room.State, err error) {
	l, err := h.load(ctx, key)
	if err != nil {
		return nil, err
	}
	defer recovered(&err, "marshal state")
	if state, err = encode(ctx, h.router.config.Marshaler, l); err != nil {
		return nil, fmt.Errorf("load %q: %w", key, err)
	}
	if most := h.router.config.MaxFrameBytes; len(state.Frame) > most {
		return nil, fmt.Errorf("load %q: %w: the state takes %d bytes, MaxFrameBytes is %d",
			key, ErrFrameTooLarge, len(state.Frame), most)
	}

	return state, nil
}

// visit prepares the stream of the request's key. It returns nil where it has answered the request.
func (h *handler) visit(w http.ResponseWriter, r *http.Request) *visit {
	key, expires, err := h.adapter.admit(r)
	switch {
	case err != nil && !final(err):
		h.router.logger.Error("Stream is put off", err, watermill.LogFields{"path": r.URL.Path})
		h.router.turnAway(w, r, "not now")

		return nil
	case err != nil:
		h.router.fail(w, r, err)

		return nil
	case r.Method == http.MethodHead:
		response.WriteHeader(w)

		return nil
	}
	release, ok := h.router.admit(w, r, func(ctx context.Context) bool { return h.upstreams.wait(ctx, h.router.closed) })
	if !ok {
		return nil
	}
	v := &visit{client: room.NewClient(r.Header.Get("Last-Event-ID")), expires: expires, release: release}
	if !h.rooms.Join(v.client, key, "") {
		v.end()
		h.router.refuse(w, r)

		return nil
	}
	switch ok, gone := v.client.Await(r.Context(), h.router.patience(), h.router.closed.Done()); {
	case gone != nil:
		v.end()
		h.router.fail(w, r, gone)

		return nil
	case !ok:
		v.end()
		h.router.turnAway(w, r, "closing")

		return nil
	}

	return v
}

// serveState answers a plain request with the state as JSON, or with 304 if the client has it.
func (h *handler) serveState(w http.ResponseWriter, r *http.Request) {
	w.Header().Add("Vary", "Accept")
	key, _, err := h.adapter.admit(r)
	if err != nil {
		h.router.fail(w, r, err)

		return
	}
	l, err := h.loadOnce(r.Context(), key)
	if err != nil {
		h.router.fail(w, r, err)

		return
	}
	w.Header().Set("ETag", `"`+l.version+`"`)
	w.Header().Set("Cache-Control", "no-cache")
	if (r.Method == http.MethodGet || r.Method == http.MethodHead) &&
		wire.NoneMatches(r.Header.Values("If-None-Match"), l.version) {
		w.WriteHeader(http.StatusNotModified)

		return
	}
	writeJSON(w, r, l.json)
}
