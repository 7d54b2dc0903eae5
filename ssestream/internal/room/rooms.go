package room

import (
	"context"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/ThreeDotsLabs/watermill"

	"github.com/feedmill/feedmill/ssestream/internal/observe"
)

// Config is what the rooms of a router have in common.
type Config struct {
	Closed context.Context //nolint:containedctx // the router's life, which no caller's context spans
	// Go starts a goroutine that the router waits for. Only such a goroutine may call it, or anybody while the room has
	// a client, whose request the router waits for.
	Go func(f func())
	// Spawn is Go without that condition. It reports false where the router closes.
	Spawn func(f func()) bool

	Slots                  *Slots
	MinBackoff, MaxBackoff time.Duration
	MinLoadInterval        time.Duration
	MaxMembers             int // of a room, 0 for any number

	Metrics *observe.Metrics
	Traces  *observe.Traces
	Logger  watermill.LoggerAdapter

	Final   func(err error) bool                  // whether err ends the streams of a key
	Problem func(stream string, err error) []byte // describes err to a client
	Stale   func(stream string, err error) []byte // describes why its state is stale
}

// Load loads the state of a key in the given forms.
type Load func(ctx context.Context, key string, forms []int) (*State, error)

// Rooms are the rooms of one adapter, one for each key that somebody follows.
type Rooms struct {
	config *Config
	topics string // for logs
	load   Load

	unannounced func(key string) // is told of changes that no message announced

	mu   sync.RWMutex     // before room.mu
	open map[string]*room // also rooms without members whose last load has not returned

	dependencies dependencies
	refreshing   struct {
		mu      sync.Mutex // before mu
		cause   observe.Cause
		asked   bool    // all rooms have to load from now on
		queue   []*room // have been put off
		running bool    // the goroutine of refreshAll is there
	}
}

// New returns rooms without a client. The topics are named in logs. Changes that are found without a message are told to
// unannounced, which must not block.
func New(config *Config, topics string, load Load, unannounced func(key string)) *Rooms {
	return &Rooms{
		config: config, topics: topics, load: load, unannounced: unannounced, open: map[string]*room{},
		dependencies: newDependencies(&config.Metrics.Dependencies),
	}
}

// Join has the client follow the key in one of its forms, under the stream's name if it follows several. It reports false
// where the room is full.
func (rs *Rooms) Join(c *Client, key, stream string, form int) bool {
	rs.mu.Lock()
	defer rs.mu.Unlock()
	rm, ok := rs.open[key]
	if !ok {
		rm = newRoom(rs, key)
		rs.open[key] = rm
	}

	return c.join(rm, stream, form)
}

// leave takes the member out of its room, which ends with its last one.
func (rs *Rooms) leave(m *member) {
	rs.mu.Lock()
	defer rs.mu.Unlock()
	if m.room.leave(m) {
		rs.forgetLocked(m.room)
	}
}

// forget forgets a room whose last load has returned, unless somebody has joined again.
func (rs *Rooms) forget(rm *room) {
	rs.mu.Lock()
	defer rs.mu.Unlock()
	if rm.deserted() {
		rs.forgetLocked(rm)
	}
}

func (rs *Rooms) forgetLocked(rm *room) {
	if rs.open[rm.key] == rm { // Another may have been opened since it was forgotten.
		delete(rs.open, rm.key)
	}
	rs.dependencies.clear(rm)
}

// Mark has the rooms of the keys load, and those that depend on one of them. It asks for the cause only if there is one.
func (rs *Rooms) Mark(keys []string, cause func() observe.Cause) {
	var c observe.Cause
	known := func() observe.Cause {
		if c.Since.IsZero() {
			c = cause()
		}

		return c
	}
	rs.mu.RLock()
	for _, key := range keys {
		if rm, ok := rs.open[key]; ok {
			rm.mark(known())
		}
	}
	rs.mu.RUnlock()
	dependents := rs.dependencies.announce(keys)
	few := rs.config.Slots.refreshing()
	if len(dependents) > few && len(keys) > 1 {
		dependents = once(dependents)
	}
	if len(dependents) > few {
		rs.refresh(dependents, known())

		return
	}
	for _, rm := range dependents {
		rm.mark(known())
	}
}

// once returns each of the rooms once, in no order.
func once(rooms []*room) []*room {
	set := make(map[*room]struct{}, len(rooms))
	for _, rm := range rooms {
		set[rm] = struct{}{}
	}

	return slices.Collect(maps.Keys(set))
}

// Refresh has all rooms load, each from now on. It does not block. However many rooms there are, they take at most
// half of the slots, so that a message or a client that joins does not wait behind them. A room that opens later has its
// first load anyway: without rooms there is nothing to do.
func (rs *Rooms) Refresh(cause observe.Cause) {
	rs.mu.RLock()
	empty := len(rs.open) == 0
	rs.mu.RUnlock()
	if empty {
		return
	}
	rs.refreshing.mu.Lock()
	defer rs.refreshing.mu.Unlock()
	rs.refreshing.cause.Add(cause)
	rs.refreshing.asked = true
	rs.refreshLocked()
}

// refresh is Refresh for some rooms.
func (rs *Rooms) refresh(rooms []*room, cause observe.Cause) {
	rs.refreshing.mu.Lock()
	defer rs.refreshing.mu.Unlock()
	rs.putOffLocked(rooms, cause)
	rs.refreshLocked()
}

func (rs *Rooms) putOffLocked(rooms []*room, cause observe.Cause) {
	for _, rm := range rooms {
		if rm.putOff(cause) {
			rs.refreshing.queue = append(rs.refreshing.queue, rm)
		}
	}
}

func (rs *Rooms) refreshLocked() {
	if !rs.refreshing.running {
		rs.refreshing.running = rs.config.Spawn(rs.refreshAll)
	}
}

// refreshAll has rooms load until none is put off.
func (rs *Rooms) refreshAll() {
	for {
		rm, ok := rs.nextRefresh()
		if !ok {
			return
		}
		p, ok := rs.config.Slots.refresh(rs.config.Closed)
		if !ok {
			return
		}
		rs.config.Go(func() { rm.refresh(p) })
	}
}

func (rs *Rooms) nextRefresh() (*room, bool) {
	r := &rs.refreshing
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.asked {
		rs.mu.RLock()
		rooms := slices.Collect(maps.Values(rs.open))
		rs.mu.RUnlock()
		rs.putOffLocked(rooms, r.cause)
		r.asked, r.cause = false, observe.Cause{}
	}
	if len(r.queue) == 0 {
		r.queue, r.running = nil, false

		return nil, false
	}
	rm := r.queue[0]
	r.queue[0] = nil
	r.queue = r.queue[1:]

	return rm, true
}
