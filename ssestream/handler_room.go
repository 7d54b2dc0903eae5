package ssestream

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"sync"
	"time"

	"github.com/ThreeDotsLabs/watermill"
	"github.com/ThreeDotsLabs/watermill/message"
)

// patience bounds the wait for a first state where heartbeats, which otherwise do, are off.
const patience = 15 * time.Second

// roomHandler serves an [Adapter] from rooms, one a key that somebody follows.
type roomHandler struct {
	router    *Router
	upstreams upstreams
	adapter   roomAdapter

	mu    sync.RWMutex // before room.mu
	rooms map[string]*room
}

func newRoomHandler(r *Router, ups upstreams, adapter roomAdapter) *roomHandler {
	return &roomHandler{router: r, upstreams: ups, adapter: adapter, rooms: map[string]*room{}}
}

// deliver marks the rooms that the message is about. A key that nobody follows costs a look-up.
func (h *roomHandler) deliver(msg *message.Message) {
	keys, err := h.adapter.eventKeys(msg)
	if err != nil {
		h.router.logger.Error("Message cannot be decoded, all keys are loaded again", err, watermill.LogFields{
			"topic": h.upstreams.topics(), "message_uuid": msg.UUID,
		})
	}
	if err != nil || slices.Contains(keys, AllKeys) {
		h.markAll()

		return
	}
	h.mu.RLock()
	defer h.mu.RUnlock()
	for _, key := range keys {
		if rm, ok := h.rooms[key]; ok {
			rm.mark()
		}
	}
}

func (h *roomHandler) resubscribed() { h.markAll() }

func (h *roomHandler) resync() { h.markAll() }

func (h *roomHandler) markAll() {
	h.mu.RLock()
	defer h.mu.RUnlock()
	for _, rm := range h.rooms {
		rm.mark()
	}
}

// join brings the client into the key's room, which begins with its first client.
func (h *roomHandler) join(key string, c *client) {
	h.mu.Lock()
	defer h.mu.Unlock()
	rm, ok := h.rooms[key]
	if !ok {
		rm = &room{key: key, host: h, clients: map[*client]struct{}{}}
		rm.ctx, rm.cancel = context.WithCancel(h.router.closed)
		rm.current.Store(&snapshot{})
		h.rooms[key] = rm
		h.router.stats.rooms.Add(1)
	}
	c.room = rm
	rm.join(c)
}

// leave takes the client out of its room, which ends with its last client.
func (h *roomHandler) leave(c *client) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if c.room.leave(c) {
		c.room.cancel()
		delete(h.rooms, c.room.key)
		h.router.stats.rooms.Add(-1)
	}
}

// load loads a key's state once.
func (h *roomHandler) load(ctx context.Context, key string) (loaded, error) {
	ctx, cancel := context.WithTimeout(ctx, h.router.config.LoadTimeout)
	defer cancel()
	h.router.stats.loads.Add(1)

	return h.adapter.load(ctx, key)
}

// loadOnce loads a key's state for one request. The load ends with the request, and with the router.
func (h *roomHandler) loadOnce(ctx context.Context, key string) (loaded, error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	stop := context.AfterFunc(h.router.closed, cancel) //nolint:contextcheck // the load ends with either context
	defer stop()

	l, err := h.load(ctx, key)
	if err != nil && !final(err) && h.router.closed.Err() != nil {
		err = &StatusError{Status: http.StatusServiceUnavailable, Err: fmt.Errorf("%w: %w", ErrClosed, err)}
	}

	return l, err
}

// loadFrame loads a key's state and encodes it for all clients.
func (h *roomHandler) loadFrame(ctx context.Context, key string) (version string, frame []byte, err error) {
	l, err := h.load(ctx, key)
	if err != nil {
		return "", nil, err
	}
	defer recovered(&err, "marshal state")
	frame, err = frameOf(ctx, h.router.config.Marshaler, l)

	return l.version, frame, err
}

// serveStream answers with the states of the request's key, until one of them has enough.
func (h *roomHandler) serveStream(w http.ResponseWriter, r *http.Request) {
	s, err := newStream(w, h.router.config.WriteTimeout, h.router.config.Heartbeat)
	if err != nil {
		h.router.fail(w, r, err)

		return
	}
	key, expires, err := h.adapter.admit(r)
	switch {
	case err != nil && !final(err):
		h.router.logger.Error("Stream is put off", err, watermill.LogFields{"path": r.URL.Path})
		h.router.refuse(w)

		return
	case err != nil:
		h.router.fail(w, r, err)

		return
	case r.Method == http.MethodHead:
		writeHeader(w)

		return
	}
	if !h.upstreams.wait(r.Context(), h.router.closed) {
		h.router.refuse(w)

		return
	}

	c := newClient(r.Header.Get("Last-Event-ID"))
	h.join(key, c)
	defer h.leave(c)
	switch result, err := h.first(r.Context(), c); result {
	case refused:
		h.router.fail(w, r, err)
	case waiting:
		h.router.refuse(w)
	case opened:
		h.router.stats.clients.Add(1)
		defer h.router.stats.clients.Add(-1)
		s.open(h.router.retry())
		defer s.finish()
		if err := h.serveClient(r.Context(), s, c, expires); errors.Is(err, errTooSlow) {
			h.router.stats.dropped.Add(1)
		}
	}
}

// first waits until the client's stream can begin. A load that takes long does not keep the peer waiting for
// the response's header.
func (h *roomHandler) first(ctx context.Context, c *client) (outcome, error) {
	limit := h.router.config.Heartbeat
	if limit == Off {
		limit = patience
	}
	timer := time.NewTimer(limit)
	defer timer.Stop()
	for {
		if result, err := c.first(); result != waiting {
			return result, err
		}
		select {
		case <-c.ready:
		case <-timer.C:
			return opened, nil
		case <-ctx.Done():
			return waiting, nil
		case <-h.router.closed.Done():
			return waiting, nil
		}
	}
}

// serveClient sends the client whatever is due until its stream ends, and answers why writing failed, if it did.
func (h *roomHandler) serveClient(ctx context.Context, s *stream, c *client, expires time.Time) error {
	var expired <-chan time.Time
	if !expires.IsZero() {
		timer := time.NewTimer(time.Until(expires))
		defer timer.Stop()
		expired = timer.C
	}
	for {
		due, ok := c.next()
		if !ok {
			return nil
		}
		if err := h.send(s, c, due); err != nil {
			return err
		}
		select {
		case <-c.ready:
		case <-s.silent:
			if err := s.send([]byte(heartbeat)); err != nil {
				return err
			}
		case <-expired:
			return nil
		case <-ctx.Done():
			return nil
		case <-h.router.closed.Done():
			return nil
		}
	}
}

// send sends the state that is due, if one is; the first time it opens the stream in any case.
func (h *roomHandler) send(s *stream, c *client, due *state) error {
	if due == nil {
		return s.begin()
	}
	if err := s.send(due.frame); err != nil {
		return err
	}
	h.router.stats.frames.Add(1)
	h.router.stats.skipped.Add(int64(c.delivered(due))) //nolint:gosec // G115: a count of states

	return nil
}
