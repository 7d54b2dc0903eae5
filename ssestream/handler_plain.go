package ssestream

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"sync"

	"github.com/ThreeDotsLabs/watermill"
	watermillhttp "github.com/ThreeDotsLabs/watermill-http/v2/pkg/http"
	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/go-chi/render"
)

// plainHandler serves an adapter that is not an [Adapter]: every client has the messages to itself, in order.
type plainHandler struct {
	router    *Router
	upstreams upstreams
	adapter   watermillhttp.StreamAdapter

	mu        sync.Mutex
	followers map[*follower]struct{}
}

// follower is a client's place in the topics.
type follower struct {
	queue chan *message.Message
	lost  chan struct{} // closed when the follower missed a message
}

func newPlainHandler(r *Router, ups upstreams, adapter watermillhttp.StreamAdapter) *plainHandler {
	return &plainHandler{router: r, upstreams: ups, adapter: adapter, followers: map[*follower]struct{}{}}
}

func (h *plainHandler) join() *follower {
	f := &follower{
		queue: make(chan *message.Message, h.router.config.QueueSize),
		lost:  make(chan struct{}),
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	h.followers[f] = struct{}{}

	return f
}

func (h *plainHandler) leave(f *follower) {
	h.mu.Lock()
	defer h.mu.Unlock()
	delete(h.followers, f)
}

// deliver queues the message for every client. One whose queue is full has missed it: it is disconnected, and
// when it reconnects its initial response has what it missed.
func (h *plainHandler) deliver(msg *message.Message) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if len(h.followers) > 0 {
		msg = msg.Copy() // The publisher may go on to change its own.
	}
	for f := range h.followers {
		select {
		case f.queue <- msg:
		default:
			h.router.stats.dropped.Add(1)
			h.loseLocked(f)
		}
	}
}

// resubscribed disconnects everyone: what they missed in between, only an initial response has.
func (h *plainHandler) resubscribed() {
	h.mu.Lock()
	defer h.mu.Unlock()
	for f := range h.followers {
		h.loseLocked(f)
	}
}

// resync has nothing to do: there is no state to compare.
func (*plainHandler) resync() {}

func (h *plainHandler) loseLocked(f *follower) {
	delete(h.followers, f)
	close(f.lost)
}

// serveState answers with the initial response, as the stock router does.
func (h *plainHandler) serveState(w http.ResponseWriter, r *http.Request) {
	if response, ok := h.adapter.InitialStreamResponse(w, r); ok {
		render.Respond(w, r, response)
	}
}

// serveStream takes the client's place in the topic before it asks for the initial response, as the stock
// router does, so that no message falls between.
func (h *plainHandler) serveStream(w http.ResponseWriter, r *http.Request) {
	release, ok := h.router.places.take(r)
	if !ok {
		h.router.refuse(w, r)

		return
	}
	defer release()
	if !h.upstreams.wait(r.Context(), h.router.closed) {
		h.router.turnAway(w, r, closingComment)

		return
	}
	f := h.join()
	defer h.leave(f)
	response, ok := h.adapter.InitialStreamResponse(w, r)
	if !ok {
		return
	}
	if r.Method == http.MethodHead {
		writeHeader(w)

		return
	}

	h.router.stats.clients.Add(1)
	defer h.router.stats.clients.Add(-1)
	s := newStream(w, h.router.writeBy, h.router.config.Heartbeat)
	s.open(appendRetry(nil, h.router.retry()))
	defer s.finish()
	err := h.send(w, r, s, response)
	if err == nil {
		err = h.serveFollower(w, r, s, f)
	}
	if errors.Is(err, errTooSlow) {
		h.router.stats.dropped.Add(1)
	}
}

// serveFollower sends the client the responses to its messages until its stream ends, and answers why writing
// failed, if it did.
func (h *plainHandler) serveFollower(w http.ResponseWriter, r *http.Request, s *stream, f *follower) error {
	for {
		select {
		case <-f.lost:
			return nil
		case <-r.Context().Done():
			return nil
		case <-h.router.closed.Done():
			return s.send(h.router.farewell())
		case <-s.silent:
			if err := s.send([]byte(heartbeat)); err != nil {
				return err
			}
		case msg := <-f.queue:
			own := msg.Copy()
			own.SetContext(r.Context())
			response, ok := h.adapter.NextStreamResponse(r, own)
			if !ok || r.Context().Err() != nil {
				continue
			}
			if err := h.send(w, r, s, response); err != nil {
				return err
			}
		}
	}
}

func (h *plainHandler) send(w http.ResponseWriter, r *http.Request, s *stream, response any) error {
	frame := h.encode(w, r, response)
	if err := s.send(frame); err != nil {
		return err
	}
	h.router.stats.frames.Add(1)
	h.router.stats.bytes.Add(int64(len(frame)))

	return nil
}

// encode answers the response as an SSE event. What cannot be encoded is reported to the client in an event
// named "error", as the stock router does; a page hears it beside EventSource's own errors.
func (h *plainHandler) encode(w http.ResponseWriter, r *http.Request, response any) []byte {
	frame, err := h.marshal(r.Context(), rendered(w, r, response))
	if err == nil {
		return frame
	}
	h.router.logger.Error("Response cannot be encoded", err, watermill.LogFields{"path": r.URL.Path})
	data, err := json.Marshal(map[string]string{"error": err.Error()})
	if err == nil {
		frame, err = appendFrame(nil, "error", "", data)
	}
	if err != nil {
		return []byte("event: error\ndata: {}\n\n")
	}

	return frame
}

func (h *plainHandler) marshal(ctx context.Context, response any) ([]byte, error) {
	event, ok := response.(watermillhttp.ServerSentEvent)
	if !ok {
		var err error
		if event, err = h.router.config.Marshaler.Marshal(ctx, response); err != nil {
			return nil, err
		}
	}

	frame, err := appendFrame(nil, event.Event, "", event.Data)
	if most := h.router.config.MaxFrameBytes; err == nil && len(frame) > most {
		return nil, fmt.Errorf("%w: it takes %d bytes, MaxFrameBytes is %d", ErrFrameTooLarge, len(frame), most)
	}

	return frame, err
}
