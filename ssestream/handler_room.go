package ssestream

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"sync"
	"time"

	"github.com/ThreeDotsLabs/watermill"
	"github.com/ThreeDotsLabs/watermill/message"
)

// roomHandler serves an [Adapter] from rooms, one a key that somebody follows. It may be shared by several routes.
type roomHandler struct {
	router    *Router
	upstreams upstreams
	adapter   roomAdapter

	mu    sync.RWMutex // before room.mu
	rooms map[string]*room

	all refreshing
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
		h.refresh(h.router.traces.causeOf(msg))

		return
	}
	h.mu.RLock()
	defer h.mu.RUnlock()
	var why cause
	for _, key := range keys {
		if rm, ok := h.rooms[key]; ok {
			if why.since.IsZero() {
				why = h.router.traces.causeOf(msg)
			}
			rm.mark(why)
		}
	}
}

func (h *roomHandler) resubscribed() { h.refresh(cause{}) }

func (h *roomHandler) resync() { h.refresh(cause{}) }

// join brings the member into the key's room, which begins with its first member. It says no where the room is full.
func (h *roomHandler) join(key string, m *member) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	rm, ok := h.rooms[key]
	if !ok {
		rm = &room{key: key, host: h, joins: gathering{hurry: make(chan struct{}, 1)}}
		rm.ctx, rm.cancel = context.WithCancel(h.router.closed)
		rm.current.Store(&snapshot{})
		h.rooms[key] = rm
		h.router.stats.rooms.Add(1)
	}

	return rm.join(m, h.router.config.MaxClientsPerKey)
}

// leave takes the member out of its room, which ends with its last member. One that is in no room has nothing to
// leave.
func (h *roomHandler) leave(m *member) {
	if m.room == nil {
		return
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	if m.room.leave(m) {
		m.room.cancel()
		delete(h.rooms, m.room.key)
		h.router.stats.rooms.Add(-1)
	}
}

// load loads a key's state once.
func (h *roomHandler) load(ctx context.Context, key string) (loaded, error) {
	ctx, cancel := context.WithTimeout(ctx, h.router.config.LoadTimeout)
	defer cancel()
	h.router.stats.loads.Add(1)
	defer h.router.meters.loaded(ctx, time.Now())

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
func (h *roomHandler) loadFrame(ctx context.Context, key string) (version string, e encoded, err error) {
	l, err := h.load(ctx, key)
	if err != nil {
		return "", encoded{}, err
	}
	defer recovered(&err, "marshal state")
	if e, err = encode(ctx, h.router.config.Marshaler, l); err != nil {
		return "", encoded{}, fmt.Errorf("load %q: %w", key, err)
	}
	if most := h.router.config.MaxFrameBytes; len(e.frame) > most {
		return "", encoded{}, fmt.Errorf("load %q: %w: the state takes %d bytes, MaxFrameBytes is %d",
			key, ErrFrameTooLarge, len(e.frame), most)
	}

	return l.version, e, nil
}
