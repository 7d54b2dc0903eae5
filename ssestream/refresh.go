package ssestream

import "sync"

// refreshing is the reload of all rooms of an adapter: when the upstream was interrupted, when an event may concern every
// key, and every now and then. However many rooms there are, only half of the loads that may run at once are theirs, so
// that an event or a client that joins does not wait behind them.
type refreshing struct {
	mu      sync.Mutex
	why     cause
	asked   bool // all rooms have to load from now on
	running bool // the goroutine of refreshAll is there
}

// refresh asks for a load of every room, each of which starts from now on. It does not block.
func (h *roomHandler) refresh(why cause) {
	h.all.mu.Lock()
	defer h.all.mu.Unlock()
	h.all.why.add(why)
	h.all.asked = true
	if !h.all.running {
		h.all.running = h.router.spawn(h.refreshAll)
	}
}

// refreshAll has the rooms load, a few at a time. Where it is asked again meanwhile it begins anew.
func (h *roomHandler) refreshAll() {
	for {
		why, ok := h.all.next()
		if !ok {
			return
		}
		for _, rm := range h.snapshot() {
			if !h.router.acquireRefresh() {
				return
			}
			rm.refresh(why, h.router.releaseRefresh)
		}
	}
}

// next takes what was asked for. Without that the goroutine ends, and the next to ask starts another.
func (a *refreshing) next() (cause, bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	why := a.why
	a.why = cause{}
	a.running = a.asked
	a.asked = false

	return why, a.running
}

func (h *roomHandler) snapshot() []*room {
	h.mu.RLock()
	defer h.mu.RUnlock()
	rooms := make([]*room, 0, len(h.rooms))
	for _, rm := range h.rooms {
		rooms = append(rooms, rm)
	}

	return rooms
}

// refresh is mark for one of many rooms. done is called when the load has ended, or will not come.
func (rm *room) refresh(why cause, done func()) {
	rm.mu.Lock()
	defer rm.mu.Unlock()
	rm.why.add(why)
	rm.joins.event()
	rm.markLocked()
	if rm.ctx.Err() != nil || !rm.running {
		done()

		return
	}
	rm.refreshed = append(rm.refreshed, done)
}

// abandoned calls what waits for a load that will not come, where the room has ended.
func (rm *room) abandoned() {
	rm.mu.Lock()
	defer rm.mu.Unlock()
	if rm.ctx.Err() == nil {
		return
	}
	for _, done := range rm.refreshed {
		done()
	}
	rm.refreshed = nil
}
