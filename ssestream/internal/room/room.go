package room

import (
	"context"
	"sync"
	"sync/atomic"
	"time"

	"github.com/feedmill/feedmill/internal/backoff"
	"github.com/feedmill/feedmill/ssestream/internal/observe"
)

// room is one key that somebody follows.
type room struct {
	key   string
	rooms *Rooms

	current atomic.Pointer[snapshot]
	hurry   chan struct{} // holds a token when the wait for the next load may be shorter

	failures backoff.Backoff // of the goroutine that loads
	links    []link          // what the state depends on, under dependencies.mu

	mu        sync.Mutex
	ctx       context.Context //nolint:containedctx // a room outlives the request that opened it, and its loads end with it
	cancel    context.CancelFunc
	members   []*member
	following []int // how many members follow each form
	asking    int   // members that ask once, and are not limited
	rank      rank
	wanted    time.Time // since when a load is asked for and none has succeeded, zero if none is
	failure   error     // of the last load
	started   uint64    // the number of the last load that started
	began     time.Time // when it started, zero if it failed
	notBefore time.Time // when the next load may start after one that failed
	retrying  bool      // it is only for a form that failed
	states    uint64    // how many there have been
	dirty     bool      // a load has to start
	urgent    bool      // not only for clients that join
	cause     observe.Cause
	running   bool // a goroutine loads, or is about to
	loading   bool // a load has started and has not returned
}

// snapshot is what clients need to know of a room at one time.
type snapshot struct {
	state   *State // nil until a load succeeded
	loaded  uint64 // the load that confirmed state or found gone
	failing bool   // the last load failed and will be tried again
	gone    error  // the last load found that there is no such state
	stale   error  // why no load has succeeded for long, for the clients to be told
}

// waiting reports whether a state cannot be had soon.
func (s *snapshot) waiting() bool { return s.failing || s.stale != nil }

// staleness returns why clients are told that the state is stale, if any are.
func (s *snapshot) staleness() error {
	if s.stale == nil && s.state != nil {
		return s.state.failure()
	}

	return s.stale
}

func newRoom(rooms *Rooms, key string) *room {
	rm := &room{
		key: key, rooms: rooms, hurry: make(chan struct{}, 1), rank: fresh,
		failures: backoff.Backoff{Min: rooms.config.MinBackoff, Max: rooms.config.MaxBackoff},
	}
	rm.current.Store(&snapshot{})

	return rm
}

// join adds the member and asks for the load that it waits for. It reports false where the room is full.
func (rm *room) join(m *member) bool {
	rm.mu.Lock()
	defer rm.mu.Unlock()
	if m.client.asks {
		rm.asking++
	} else if limit := rm.rooms.config.MaxMembers; limit > 0 && len(rm.members)-rm.asking >= limit {
		return false
	}
	if len(rm.members) == 0 {
		rm.ctx, rm.cancel = context.WithCancel(rm.rooms.config.Closed)
		rm.rooms.config.Metrics.Rooms.Add(1)
		rm.wanted, rm.failure = time.Time{}, nil
		rm.showLocked(&snapshot{})
	}
	m.room, m.place, m.since = rm, len(rm.members), rm.started+1
	rm.members = append(rm.members, m)
	for len(rm.following) <= m.form {
		rm.following = append(rm.following, 0)
	}
	rm.following[m.form]++
	rm.markLocked()

	return true
}

// leave removes the member and ends the room with its last one. It reports whether the room is to be forgotten: one whose
// load has not returned stays, so that who comes back does not have another load of the key start beside it.
func (rm *room) leave(m *member) (forget bool) {
	rm.mu.Lock()
	defer rm.mu.Unlock()
	last := len(rm.members) - 1
	if m.client.asks {
		rm.asking--
	}
	rm.following[m.form]--
	rm.members[m.place] = rm.members[last]
	rm.members[m.place].place = m.place
	rm.members[last] = nil
	rm.members = rm.members[:last]
	if last > 0 {
		return false
	}
	rm.cancel()
	rm.rooms.config.Metrics.Rooms.Add(-1)
	rm.showLocked(&snapshot{})

	return !rm.loading
}

// mark asks for a load that starts from now on, because of a message.
func (rm *room) mark(cause observe.Cause) {
	rm.mu.Lock()
	defer rm.mu.Unlock()
	rm.urgentLocked(cause)
	rm.markLocked()
}

func (rm *room) urgentLocked(cause observe.Cause) {
	rm.cause.Add(cause)
	rm.urgent = true
	rm.hurryLocked()
}

func (rm *room) hurryLocked() {
	select {
	case rm.hurry <- struct{}{}:
	default:
	}
}

func (rm *room) markLocked() {
	rm.dirtyLocked()
	rm.wantLocked()
	if !rm.running && rm.ctx.Err() == nil {
		rm.running = true
		rm.rooms.config.Go(rm.run)
	}
}

func (rm *room) wantLocked() {
	if rm.wanted.IsZero() {
		rm.wanted = time.Now()
	}
}

func (rm *room) dirtyLocked() {
	rm.dirty = true
	if rm.retrying { // Others do not wait for the backoff of a form.
		rm.retrying = false
		rm.hurryLocked()
	}
}

// putOff is mark for one of many rooms. A room at rest does not load before it is refreshed, or asked for a load
// otherwise. It reports whether it has to be refreshed, which is once for all that is put off.
func (rm *room) putOff(cause observe.Cause) bool {
	rm.mu.Lock()
	defer rm.mu.Unlock()
	rm.urgentLocked(cause)
	if rm.running || rm.ctx.Err() != nil {
		rm.markLocked()

		return false
	}
	before := rm.dirty
	rm.dirtyLocked()
	if !cause.Since.IsZero() { // Without a cause, nothing says that the state has changed.
		rm.wantLocked()
	}

	return !before
}

// refresh loads what was put off, if no other load has come first. It loads once on the caller's goroutine, at the given
// place, unless the load may fail or take long.
func (rm *room) refresh(p *place) {
	rm.mu.Lock()
	asked := rm.dirty && !rm.running && rm.ctx.Err() == nil
	here := asked && rm.waitLocked() <= 0 && rm.rank <= fresh
	if here {
		rm.running = true
		rm.wantLocked()
	} else if asked {
		rm.markLocked()
	}
	rm.mu.Unlock()
	if !here {
		p.release()
	} else if !rm.load(p) {
		rm.rooms.config.Go(rm.run)
	}
}

// run loads until nothing asks for a load. A room at rest has no goroutine.
func (rm *room) run() {
	for rm.pause() && !rm.load(&place{slots: rm.rooms.config.Slots}) {
	}
}

// joinWindow is the least time from one load to the next where only clients that join ask for it. A crowd that
// reconnects shares loads, whatever its size.
const joinWindow = 10 * time.Millisecond

// pause waits until the room may load, and reports false if it ended before. A message ends the wait of those who join.
func (rm *room) pause() bool {
	for {
		rm.mu.Lock()
		ctx, wait := rm.ctx, rm.waitLocked()
		rm.mu.Unlock()
		if wait <= 0 {
			return ctx.Err() == nil
		}
		timer := time.NewTimer(wait)
		select {
		case <-timer.C:
		case <-rm.hurry:
			timer.Stop()
		case <-ctx.Done():
			timer.Stop()

			return false
		}
	}
}

// waitLocked returns how long the next load is put off.
func (rm *room) waitLocked() time.Duration {
	at := rm.notBefore
	if !rm.began.IsZero() && !rm.retrying {
		interval := rm.rooms.config.MinLoadInterval
		if !rm.urgent {
			interval = max(interval, joinWindow)
		}
		at = rm.began.Add(interval)
	}

	return time.Until(at)
}
