package room

import (
	"errors"
	"fmt"
	"time"

	"github.com/ThreeDotsLabs/watermill"
)

// errNotLoaded is why a state is stale whose load has neither failed nor returned.
var errNotLoaded = errors.New("its load has not returned, or waits for others")

// TellStale tells the clients of all rooms whose state is older than they may believe: a load was asked for at least the
// given time ago, and none has succeeded since.
func (rs *Rooms) TellStale(after time.Duration) {
	rs.mu.RLock()
	defer rs.mu.RUnlock()
	for _, rm := range rs.open {
		rm.tellStale(after)
	}
}

func (rm *room) tellStale(after time.Duration) {
	rm.mu.Lock()
	defer rm.mu.Unlock()
	if len(rm.members) > 0 && !rm.wanted.IsZero() && time.Since(rm.wanted) >= after {
		rm.tellStaleLocked()
	}
}

// tellStaleLocked tells the clients once that their state is stale, until another is loaded.
func (rm *room) tellStaleLocked() {
	next := *rm.current.Load()
	if next.stale != nil {
		return
	}
	next.stale = rm.failure
	if next.stale == nil {
		next.stale = fmt.Errorf("load %q: %w", rm.key, errNotLoaded)
	}
	rm.showLocked(&next)
	rm.wakeLocked()
}

// showLocked replaces what the clients see of the room. The operator learns where it becomes stale, and where it ends to be.
func (rm *room) showLocked(next *snapshot) {
	fields := watermill.LogFields{"topic": rm.rooms.topics, "key": rm.key}
	before, now := rm.current.Load().staleness(), next.staleness()
	switch {
	case before == nil && now != nil:
		rm.rooms.config.Metrics.Stale.Add(1)
		rm.rooms.config.Logger.Error("State is stale, its clients are told", now, fields)
	case before != nil && now == nil:
		rm.rooms.config.Metrics.Stale.Add(-1)
		rm.rooms.config.Logger.Info("State is not stale any more", fields)
	}
	rm.current.Store(next)
}

// loadedLocked notes that a load has told what the state is.
func (rm *room) loadedLocked() {
	rm.rank, rm.failure, rm.wanted = good, nil, time.Time{}
	if rm.dirty {
		rm.wanted = time.Now()
	}
}
