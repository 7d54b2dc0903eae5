package ssestream

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"github.com/ThreeDotsLabs/watermill"
	watermillhttp "github.com/ThreeDotsLabs/watermill-http/v2/pkg/http"
	"github.com/ThreeDotsLabs/watermill/message"

	"github.com/feedmill/feedmill/ssestream/internal/observe"
	"github.com/feedmill/feedmill/ssestream/internal/room"
	"github.com/feedmill/feedmill/ssestream/internal/stock"
	"github.com/feedmill/feedmill/ssestream/internal/wire"
)

// AddHandler returns the HTTP handler that serves the adapter, whose state is announced on the topic. It may be called
// before and after Run. A topic is subscribed to once, however many handlers it has.
//
// An [*Adapter] is served from shared rooms, and its handler refuses methods other than GET and HEAD. Any other adapter is
// called for every client, in the order of the messages, and for any method. The handler responds with a stream if
// [WantsStream] reports true, and with the state as JSON otherwise. A stream that is requested before Run, or while a topic
// cannot be subscribed to, is sent its state at once, and later changes when the topic is subscribed to.
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
		f := formHandler{handler: h, form: typed.form, place: h.formLocked(typed.form)}

		return r.reads(r.route(typed.form.wants(), r.stream(f.prepare), f.serveState, true))
	}
	ups := r.upstreamsLocked(topics)
	plain := stock.New(stock.Config{
		Terms: r.terms, Marshaler: r.config.Marshaler, MaxFrameBytes: r.config.MaxFrameBytes,
		QueueSize: r.config.QueueSize, Logger: r.logger,
	}, adapter)
	for _, up := range ups {
		up.listeners = append(slices.Clip(up.listeners), plain)
	}

	return r.route(WantsStream, func(w http.ResponseWriter, v *visit) (rest func()) {
		r.identify(v)
		req := v.request
		if !r.admit(w, v) {
			return nil
		}
		defer v.release()
		if !ups.wait(req.Context(), r.closed, r.patience()) {
			r.turnAway(w, req, "not now")

			return nil
		}
		ctx, cancel := context.WithCancel(req.Context())
		defer cancel()
		if !r.welcome(v, cancel) { // What middleware has found out may be from before the kick.
			r.turnAway(w, req, "authorize again")

			return nil
		}
		plain.ServeStream(w, req.WithContext(ctx))

		return nil
	}, plain.ServeState, false)
}

// handler serves an [Adapter] from rooms. Routes with the same adapter and topics share a handler.
type handler struct {
	router    *Router
	topics    string // for logs
	upstreams upstreams
	adapter   loader
	renders   bool // the states are also HTML
	compress  bool // streams of them may be compressed
	appends   bool // the end of a text that has grown is sent alone
	rooms     *room.Rooms
	unheard   unheard
	forms     atomic.Pointer[[]*form] // that streams may carry, JSON first; replaced under the router's lock
}

// jsonForm is the place of JSON among the forms of a handler.
const jsonForm = 0

func (r *Router) handlerLocked(topics []string, adapter served) *handler {
	ups := r.upstreamsLocked(topics)
	for _, h := range r.handlers {
		if h.adapter == adapter.states && slices.Equal(h.upstreams, ups) {
			return h
		}
	}
	h := &handler{
		router: r, topics: strings.Join(topics, ", "), upstreams: ups, adapter: adapter.states,
		renders: adapter.renders, compress: adapter.compress, appends: adapter.appends,
	}
	h.forms.Store(&[]*form{{}})
	h.rooms = room.New(&r.rooms, h.topics, h.loadShared, h.unannounced)
	r.handlers = append(r.handlers, h)
	for _, up := range ups {
		up.listeners = append(slices.Clip(up.listeners), h)
	}

	return h
}

// formLocked returns the place of a form among those of the handler.
func (h *handler) formLocked(f *form) int {
	if !f.html {
		return jsonForm
	}
	forms := *h.forms.Load()
	if i := slices.Index(forms, f); i >= 0 {
		return i
	}
	more := append(slices.Clip(forms), f)
	h.forms.Store(&more)

	return len(forms)
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
func (h *handler) load(ctx context.Context, key string) (state any, err error) {
	h.router.metrics.Loads.Add(1)
	defer h.router.metrics.Loaded(ctx, time.Now())

	return h.adapter.load(ctx, key)
}

// loadOnce loads a key's state for one request. The load ends with the request, and with the router.
func (h *handler) loadOnce(ctx context.Context, key string, html bool) (answer, error) {
	ctx, cancel := context.WithTimeout(ctx, h.router.config.LoadTimeout)
	defer cancel()
	stop := context.AfterFunc(h.router.closed, cancel) //nolint:contextcheck // the load ends with either context
	defer stop()

	a, err := h.answer(ctx, key, html)
	if err != nil {
		h.router.metrics.LoadErrors.Add(1)
	}
	if err != nil && !final(err) && h.router.closed.Err() != nil {
		err = &StatusError{Status: http.StatusServiceUnavailable, Err: fmt.Errorf("%w: %w", ErrClosed, err)}
	}

	return a, err
}

// loadShared loads a key's state and encodes it for all clients, in the forms that they follow.
func (h *handler) loadShared(ctx context.Context, key string, followed []int) (*room.State, error) {
	loaded, err := h.load(ctx, key)
	if err != nil {
		return nil, err
	}
	forms := *h.forms.Load()
	e := encoder{
		stored: !h.compress, appends: h.appends, marshaler: h.router.config.Marshaler, states: h.adapter, key: key, state: loaded,
	}
	state := &room.State{Forms: make([]room.Form, len(forms))}
	for _, i := range followed {
		state.Forms[i] = e.encode(ctx, forms[i], h.router.config.MaxFrameBytes)
	}
	if _, plain := e.marshaler.(watermillhttp.JSONSSEMarshaler); plain && state.Forms[jsonForm].Err == nil {
		state.JSON = wire.Line(state.Forms[jsonForm].Data.Bytes())
	}

	return state, nil
}
