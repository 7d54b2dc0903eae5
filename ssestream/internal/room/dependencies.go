package room

import (
	"context"
	"hash/maphash"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
)

const (
	// AllKeys stands for every key.
	AllKeys = "\x00all keys"
	// MaxDependencies is how many keys a room may depend on. One that depends on more depends on all.
	MaxDependencies = 1000
)

// dependencies are the keys that the rooms of one adapter depend on, beside their own. The first load that tells of a key
// may tell of it after an event about the key has come. So the time of the last event is kept for each key that there may
// be, in a table of fixed size: keys of the same hash share a time, and a room loads once more than it has to.
type dependencies struct {
	seed  maphash.Seed
	count *atomic.Int64 // of links, over all adapters

	mu    sync.Mutex
	clock uint64                 // counts the events
	last  *[1 << 14]uint64       // of the keys of each hash, by clock; nil before anything depends on a key
	keys  map[string]*dependency // that rooms depend on
}

// dependency is a key that rooms depend on.
type dependency struct {
	key   string
	rooms []dependent
}

// dependent is a room that depends on a key, and the place of that among its links.
type dependent struct {
	room *room
	link int
}

// link is what a room depends on, and the place of the room among the dependents.
type link struct {
	on    *dependency
	place int
}

func newDependencies(count *atomic.Int64) dependencies {
	return dependencies{seed: maphash.MakeSeed(), count: count, keys: map[string]*dependency{}}
}

func (d *dependencies) lastOf(key string) *uint64 {
	return &d.last[maphash.String(d.seed, key)%uint64(len(d.last))]
}

// now returns the time. The state that a load returns has what was announced before.
func (d *dependencies) now() uint64 {
	d.mu.Lock()
	defer d.mu.Unlock()

	return d.clock
}

// announce returns the rooms that depend on one of the keys, those that depend on several of them more than once.
func (d *dependencies) announce(keys []string) []*room {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.clock++
	if d.last == nil {
		return nil
	}
	rooms := d.announceLocked(nil, AllKeys)
	for _, key := range keys {
		rooms = d.announceLocked(rooms, key)
	}

	return rooms
}

func (d *dependencies) announceLocked(rooms []*room, key string) []*room {
	*d.lastOf(key) = d.clock
	if on, ok := d.keys[key]; ok {
		rooms = slices.Grow(rooms, len(on.rooms))
		for _, dependent := range on.rooms {
			rooms = append(rooms, dependent.room)
		}
	}

	return rooms
}

// set makes the room depend on the keys, which are sorted and each there once, and on no others. It reports whether one of
// them may have been announced since the given time, and the room was not told.
func (d *dependencies) set(rm *room, keys []string, since uint64) (missed bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if slices.EqualFunc(rm.links, keys, func(l link, key string) bool { return l.on.key == key }) {
		return false
	}
	d.clearLocked(rm)
	if d.last == nil {
		d.last = new([1 << 14]uint64)
		for i := range d.last {
			d.last[i] = d.clock
		}
	}
	rm.links = make([]link, len(keys))
	for i, key := range keys {
		on, ok := d.keys[key]
		if !ok {
			on = &dependency{key: strings.Clone(key)} // It may be a part of a large text.
			d.keys[on.key] = on
		}
		rm.links[i] = link{on: on, place: len(on.rooms)}
		on.rooms = append(on.rooms, dependent{room: rm, link: i})
		missed = missed || *d.lastOf(key) > since
	}
	d.count.Add(int64(len(keys)))

	return missed
}

// clear makes the room depend on nothing.
func (d *dependencies) clear(rm *room) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.clearLocked(rm)
}

func (d *dependencies) clearLocked(rm *room) {
	for _, l := range rm.links {
		rooms := l.on.rooms
		last := len(rooms) - 1
		rooms[l.place] = rooms[last]
		rooms[l.place].room.links[rooms[l.place].link].place = l.place
		rooms[last] = dependent{}
		l.on.rooms = rooms[:last]
		if last == 0 {
			delete(d.keys, l.on.key)
		}
	}
	d.count.Add(-int64(len(rm.links)))
	rm.links = nil
	if len(d.keys) == 0 {
		d.keys = map[string]*dependency{} // A map does not shrink.
	}
}

// Told are the keys that one load tells of.
type Told struct {
	mu   sync.Mutex
	keys []string
	all  bool // there were too many
}

type toldKey struct{}

// Telling returns a context for a load, and what the load tells by DependOn.
func Telling(ctx context.Context) (context.Context, *Told) {
	t := &Told{}

	return context.WithValue(ctx, toldKey{}, t), t
}

// DependOn tells that the state of a load depends on the keys. It does nothing if the context has not come from Telling.
func DependOn(ctx context.Context, keys []string) {
	if t, ok := ctx.Value(toldKey{}).(*Told); ok {
		t.add(keys)
	}
}

func (t *Told) add(keys []string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, key := range keys {
		if t.all {
			return
		}
		t.keys = append(t.keys, key)
		if len(t.keys) > 2*MaxDependencies {
			t.compactLocked()
		}
	}
}

// compactLocked sorts the keys and keeps each once.
func (t *Told) compactLocked() {
	slices.Sort(t.keys)
	t.keys = slices.Compact(t.keys)
	if len(t.keys) > MaxDependencies {
		t.keys, t.all = []string{AllKeys}, true
	}
}

// Keys returns what was told, sorted and each key once, or AllKeys if there were too many.
func (t *Told) Keys() []string {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.compactLocked()

	return slices.Clone(t.keys)
}
