package room

import (
	"iter"
	"maps"
	"slices"
)

// Followed is a key that clients follow.
type Followed struct {
	Key     string
	Clients int
	Stale   error // why its clients were told so
}

// Followed returns the keys that clients follow, in no order.
func (rs *Rooms) Followed() iter.Seq[Followed] {
	return func(yield func(Followed) bool) {
		rs.mu.RLock()
		rooms := slices.Collect(maps.Values(rs.open)) // the caller may take its time
		rs.mu.RUnlock()
		for _, rm := range rooms {
			rm.mu.Lock()
			clients := len(rm.members)
			rm.mu.Unlock()
			if clients > 0 && !yield(Followed{rm.key, clients, rm.current.Load().staleness()}) {
				return
			}
		}
	}
}
