// Package stock serves adapters that are written for watermillhttp.SSERouter, as that does: every client has the
// messages to itself. Unlike there, they are in order, and a client has a bounded queue.
package stock

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"sync"

	"github.com/ThreeDotsLabs/watermill"
	watermillhttp "github.com/ThreeDotsLabs/watermill-http/v2/pkg/http"
	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/go-chi/render"

	"github.com/feedmill/feedmill/internal/reload"
	"github.com/feedmill/feedmill/ssestream/internal/response"
	"github.com/feedmill/feedmill/ssestream/internal/wire"
)

// Config is what the handlers of a router have in common.
type Config struct {
	response.Terms

	Marshaler     watermillhttp.SSEMarshaler
	MaxFrameBytes int
	QueueSize     int
	Logger        watermill.LoggerAdapter
}

// Handler serves one adapter.
type Handler struct {
	config  Config
	adapter watermillhttp.StreamAdapter

	mu      sync.Mutex
	clients map[*client]struct{}
}

// client is a stream's place in the topics.
type client struct {
	queue chan *message.Message
	lost  chan struct{} // closed when the client missed a message
	ready chan struct{} // holds a token when one of the two has something
}

func (c *client) wake() {
	select {
	case c.ready <- struct{}{}:
	default:
	}
}

// New returns a handler for the adapter.
func New(config Config, adapter watermillhttp.StreamAdapter) *Handler {
	return &Handler{config: config, adapter: adapter, clients: map[*client]struct{}{}}
}

func (h *Handler) join() *client {
	c := &client{
		queue: make(chan *message.Message, h.config.QueueSize),
		lost:  make(chan struct{}),
		ready: make(chan struct{}, 1),
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	h.clients[c] = struct{}{}

	return c
}

func (h *Handler) leave(c *client) {
	h.mu.Lock()
	defer h.mu.Unlock()
	delete(h.clients, c)
}

// Deliver queues the message for every client. One whose queue is full has missed it: it is disconnected, and
// when it reconnects its initial response has what it missed. So are all by a message that stands for any others.
func (h *Handler) Deliver(msg *message.Message) {
	if reload.Marked(msg) {
		h.Resubscribed()

		return
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	if len(h.clients) > 0 {
		msg = msg.Copy() // The publisher may go on to change its own.
	}
	for c := range h.clients {
		select {
		case c.queue <- msg:
			c.wake()
		default:
			h.config.Counters.Dropped.Add(1)
			h.loseLocked(c)
		}
	}
}

// Resubscribed disconnects all clients: only an initial response has what they may have missed.
func (h *Handler) Resubscribed() {
	h.mu.Lock()
	defer h.mu.Unlock()
	for c := range h.clients {
		h.loseLocked(c)
	}
}

func (h *Handler) loseLocked(c *client) {
	delete(h.clients, c)
	close(c.lost)
	c.wake()
}

// ServeState responds with the initial response. The adapter may set other headers.
func (h *Handler) ServeState(w http.ResponseWriter, r *http.Request) {
	response.SetShared(w.Header())
	if initial, ok := h.adapter.InitialStreamResponse(w, r); ok {
		render.Respond(w, r, initial)
	}
}

// ServeStream responds with a stream. The client joins before the adapter is asked for the initial response, so that
// no message falls between.
func (h *Handler) ServeStream(w http.ResponseWriter, r *http.Request) {
	c := h.join()
	defer h.leave(c)
	initial, ok := h.adapter.InitialStreamResponse(w, r)
	if !ok {
		return
	}
	if r.Method == http.MethodHead {
		response.WriteHeader(w)

		return
	}
	h.config.Counters.Clients.Add(1)
	defer h.config.Counters.Clients.Add(-1)
	src := &source{handler: h, client: c, w: w, r: r, frame: h.encode(w, r, initial)}
	response.Serve(r.Context(), w, h.config.Terms, nil, src, c.ready)
}

// source is what a client's stream carries: the initial response, and then the responses to its messages.
type source struct {
	handler *Handler
	client  *client
	w       http.ResponseWriter
	r       *http.Request
	frame   []byte // to be written
}

// Next implements response.Source.
func (s *source) Next(*[]byte) (frame []byte, more bool) {
	for s.frame == nil && s.r.Context().Err() == nil {
		select {
		case <-s.client.lost:
			return nil, false
		case msg := <-s.client.queue:
			own := msg.Copy()
			own.SetContext(s.r.Context())
			if next, ok := s.handler.adapter.NextStreamResponse(s.r, own); ok && s.r.Context().Err() == nil {
				s.frame = s.handler.encode(s.w, s.r, next)
			}
		default:
			return nil, true
		}
	}

	return s.frame, true
}

// Written implements response.Source.
func (s *source) Written() {
	s.handler.config.Counters.Frames.Add(1)
	s.handler.config.Counters.Bytes.Add(int64(len(s.frame)))
	s.frame = nil
}

// Heartbeat implements response.Source.
func (s *source) Heartbeat() []byte { return []byte(wire.Heartbeat) }

// Other implements response.Source.
func (s *source) Other(p []byte) []byte { return p }

// encode returns the response as an event. What cannot be encoded is reported to the client by an event named
// "error", as the stock router does. A page receives it beside EventSource's own errors.
func (h *Handler) encode(w http.ResponseWriter, r *http.Request, value any) []byte {
	frame, err := h.marshal(r.Context(), rendered(w, r, value))
	if err == nil {
		return frame
	}
	h.config.Logger.Error("Response cannot be encoded", err, watermill.LogFields{"path": r.URL.Path})
	data, _ := json.Marshal(map[string]string{"error": err.Error()}) // A map of strings can be encoded.

	return append(wire.AppendData([]byte("event: error\n"), data), '\n')
}

func (h *Handler) marshal(ctx context.Context, value any) ([]byte, error) {
	event, ok := value.(watermillhttp.ServerSentEvent)
	if !ok {
		var err error
		if event, err = h.config.Marshaler.Marshal(ctx, value); err != nil {
			return nil, err
		}
	}
	frame, err := wire.AppendEvent(nil, event.Event, "", event.Data)
	if most := h.config.MaxFrameBytes; err == nil && len(frame) > most {
		return nil, fmt.Errorf("%w: it takes %d bytes, MaxFrameBytes is %d", wire.ErrFrameTooLarge, len(frame), most)
	}

	return frame, err
}
