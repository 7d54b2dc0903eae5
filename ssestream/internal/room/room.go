package room

import (
	"context"
	"sync"
	"sync/atomic"
	"time"

	"github.com/ThreeDotsLabs/watermill"
	"go.opentelemetry.io/otel/trace"

	"github.com/feedmill/feedmill/internal/backoff"
	"github.com/feedmill/feedmill/ssestream/internal/observe"
)

// State is a state in the bytes that all clients share.
type State struct {
	Version string
	Frame   []byte // the whole event, for a connection of its own
	Data    []byte // its data fields, for a connection of several streams

	number  uint64 // counts the room's states
	cause   observe.Cause
	span    trace.SpanContext // of the load, if it is traced
	loaded  time.Time
	written atomic.Bool // by one client at least
}

// room is one key that somebody follows.
type room struct {
	key   string
	rooms *Rooms

	ctx    context.Context //nolint:containedctx // a room outlives the request that opened it, and its loads end with it
	cancel context.CancelFunc

	current atomic.Pointer[snapshot]
	hurry   chan struct{} // holds a token when a message has come

	failures backoff.Backoff // of the goroutine that loads

	mu        sync.Mutex
	members   []*member
	started   uint64    // the number of the last load that started
	began     time.Time // when it started, zero if it failed
	notBefore time.Time // when the next load may start after one that failed
	states    uint64    // how many there have been
	dirty     bool      // a load has to start
	urgent    bool      // not only for clients that join
	cause     observe.Cause
	running   bool // a goroutine loads, or is about to
}

// snapshot is what clients need to know of a room at one time.
type snapshot struct {
	state   *State // nil until a load succeeded
	loaded  uint64 // the load that confirmed state or found gone
	failing bool   // the last load failed and will be tried again
	gone    error  // the last load found that there is no such state
}

func newRoom(rooms *Rooms, key string) *room {
	rm := &room{
		key: key, rooms: rooms, hurry: make(chan struct{}, 1),
		failures: backoff.Backoff{Min: rooms.config.MinBackoff, Max: rooms.config.MaxBackoff},
	}
	rm.ctx, rm.cancel = context.WithCancel(rooms.config.Closed)
	rm.current.Store(&snapshot{})

	return rm
}

// join adds the member and asks for the load that it waits for. It reports false where the room is full.
func (rm *room) join(m *member) bool {
	rm.mu.Lock()
	defer rm.mu.Unlock()
	if limit := rm.rooms.config.MaxMembers; limit > 0 && len(rm.members) >= limit {
		return false
	}
	m.room, m.place, m.since = rm, len(rm.members), rm.started+1
	rm.members = append(rm.members, m)
	rm.markLocked()

	return true
}

// leave removes the member and reports whether the room is empty.
func (rm *room) leave(m *member) bool {
	rm.mu.Lock()
	defer rm.mu.Unlock()
	last := len(rm.members) - 1
	rm.members[m.place] = rm.members[last]
	rm.members[m.place].place = m.place
	rm.members[last] = nil
	rm.members = rm.members[:last]

	return last == 0
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
	select {
	case rm.hurry <- struct{}{}:
	default:
	}
}

func (rm *room) markLocked() {
	rm.dirty = true
	if !rm.running && rm.ctx.Err() == nil {
		rm.running = true
		rm.rooms.config.Go(rm.run)
	}
}

// refresh is mark for one of many rooms. Where the room is at rest it loads once on the caller's goroutine.
func (rm *room) refresh(cause observe.Cause) {
	rm.mu.Lock()
	rm.urgentLocked(cause)
	mine := !rm.running && rm.ctx.Err() == nil && rm.waitLocked() <= 0
	if mine {
		rm.dirty, rm.running = true, true
	} else {
		rm.markLocked()
	}
	rm.mu.Unlock()
	if mine && !rm.load() {
		rm.rooms.config.Go(rm.run)
	}
}

// run loads until nothing asks for a load. A room at rest has no goroutine.
func (rm *room) run() {
	for rm.pause() && !rm.load() {
	}
}

// joinWindow is the least time from one load to the next where only clients that join ask for it. A crowd that
// reconnects shares loads, whatever its size.
const joinWindow = 10 * time.Millisecond

// pause waits until the room may load, and reports false if it ended before. A message ends the wait of those who join.
func (rm *room) pause() bool {
	for {
		rm.mu.Lock()
		wait := rm.waitLocked()
		rm.mu.Unlock()
		if wait <= 0 {
			return rm.ctx.Err() == nil
		}
		timer := time.NewTimer(wait)
		select {
		case <-timer.C:
		case <-rm.hurry:
			timer.Stop()
		case <-rm.ctx.Done():
			timer.Stop()

			return false
		}
	}
}

// waitLocked returns how long the next load is put off.
func (rm *room) waitLocked() time.Duration {
	at := rm.notBefore
	if !rm.began.IsZero() {
		interval := rm.rooms.config.MinLoadInterval
		if !rm.urgent {
			interval = max(interval, joinWindow)
		}
		at = rm.began.Add(interval)
	}

	return time.Until(at)
}

// load loads once and reports whether the room is at rest then, which may be for good.
func (rm *room) load() (rest bool) {
	slots := rm.rooms.config.Slots.loads
	if !slots.acquire(rm.ctx) {
		return true
	}
	number, cause := rm.begin()
	ctx, end := rm.rooms.config.Traces.StartLoad(rm.ctx, rm.key, cause)
	state, err := rm.rooms.load(ctx, rm.key)
	end(err)
	slots.release()
	if rm.ctx.Err() != nil {
		return true
	}

	rm.mu.Lock()
	defer rm.mu.Unlock()
	switch {
	case err == nil:
		state.cause, state.span, state.loaded = cause, trace.SpanContextFromContext(ctx), time.Now()
		rm.succeededLocked(number, state)
	case rm.rooms.config.Final(err):
		rm.goneLocked(number, err)
	default:
		rm.failedLocked(err, cause)
	}
	rm.running = rm.dirty

	return !rm.dirty
}

// begin numbers the load that starts now, and takes the marks with their causes.
func (rm *room) begin() (number uint64, cause observe.Cause) {
	rm.mu.Lock()
	defer rm.mu.Unlock()
	rm.dirty, rm.urgent = false, false
	rm.started++
	rm.began = time.Now()
	cause, rm.cause = rm.cause, observe.Cause{}

	return rm.started, cause
}

// succeededLocked makes the loaded state the room's. Where it is the state that was there, only clients that waited
// for its confirmation are woken.
func (rm *room) succeededLocked(number uint64, loaded *State) {
	rm.failures.Reset()
	before := rm.current.Load()
	next := &snapshot{state: before.state, loaded: number}
	changed := before.state == nil || before.state.Version != loaded.Version
	if changed {
		rm.states++
		loaded.number = rm.states
		next.state = loaded
	}
	rm.current.Store(next)
	for _, m := range rm.members {
		if changed || m.since > before.loaded {
			m.client.wake()
		}
	}
}

// failedLocked keeps the state, and opens the streams of those who wait for their first one.
func (rm *room) failedLocked(err error, cause observe.Cause) {
	rm.rooms.config.Logger.Error("Load failed, clients keep what they have", err, watermill.LogFields{
		"topic": rm.rooms.topics, "key": rm.key,
	})
	rm.rooms.config.Metrics.LoadErrors.Add(1)
	rm.dirty, rm.began, rm.notBefore = true, time.Time{}, time.Now().Add(rm.failures.Next())
	rm.cause.Add(cause)
	before := rm.current.Load()
	rm.current.Store(&snapshot{state: before.state, loaded: before.loaded, failing: true})
	rm.wakeLocked()
}

// goneLocked ends the streams of all who joined before that load. It forgets the state, for a connection of several
// streams goes on and must not be sent it again.
func (rm *room) goneLocked(number uint64, err error) {
	rm.failures.Reset()
	rm.rooms.config.Metrics.LoadErrors.Add(1)
	rm.current.Store(&snapshot{loaded: number, gone: err})
	rm.wakeLocked()
}

func (rm *room) wakeLocked() {
	for _, m := range rm.members {
		m.client.wake()
	}
}
