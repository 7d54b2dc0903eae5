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

	refreshing struct {
		mu      sync.Mutex
		cause   observe.Cause
		asked   bool // all rooms have to load from now on
		running bool // the goroutine of refreshAll is there
	}
}

// New returns rooms without a client. The topics are named in logs. Changes that are found without a message are told to
// unannounced, which must not block.
func New(config *Config, topics string, load Load, unannounced func(key string)) *Rooms {
	return &Rooms{config: config, topics: topics, load: load, unannounced: unannounced, open: map[string]*room{}}
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
		delete(rs.open, m.room.key)
	}
}

// forget forgets a room whose last load has returned. It reports false where somebody has joined again.
func (rs *Rooms) forget(rm *room) bool {
	rs.mu.Lock()
	defer rs.mu.Unlock()
	if rm.followed() {
		return false
	}
	delete(rs.open, rm.key)

	return true
}

// Mark has the rooms of the keys load. It asks for the cause only if somebody follows one of them.
func (rs *Rooms) Mark(keys []string, cause func() observe.Cause) {
	rs.mu.RLock()
	defer rs.mu.RUnlock()
	var c observe.Cause
	for _, key := range keys {
		if rm, ok := rs.open[key]; ok {
			if c.Since.IsZero() {
				c = cause()
			}
			rm.mark(c)
		}
	}
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
	if !rs.refreshing.running {
		rs.refreshing.running = rs.config.Spawn(rs.refreshAll)
	}
}

// refreshAll refreshes until nothing more is asked.
func (rs *Rooms) refreshAll() {
	for {
		cause, ok := rs.nextRefresh()
		if !ok {
			return
		}
		rs.mu.RLock()
		rooms := slices.Collect(maps.Values(rs.open))
		rs.mu.RUnlock()
		for _, rm := range rooms {
			p, ok := rs.config.Slots.refresh(rs.config.Closed)
			if !ok {
				return
			}
			rs.config.Go(func() { rm.refresh(cause, p) })
		}
	}
}

func (rs *Rooms) nextRefresh() (observe.Cause, bool) {
	rs.refreshing.mu.Lock()
	defer rs.refreshing.mu.Unlock()
	cause := rs.refreshing.cause
	rs.refreshing.cause = observe.Cause{}
	rs.refreshing.running = rs.refreshing.asked
	rs.refreshing.asked = false

	return cause, rs.refreshing.running
}
