package room

import (
	"maps"
	"slices"
)

// Followed calls f for each key that clients follow, in no order, with their number and why they were told that the state is
// stale. It ends when f returns false, and returns that.
func (rs *Rooms) Followed(f func(key string, clients int, stale error) bool) bool {
	rs.mu.RLock()
	rooms := slices.Collect(maps.Values(rs.open)) // f may take its time
	rs.mu.RUnlock()
	for _, rm := range rooms {
		rm.mu.Lock()
		clients := len(rm.members)
		rm.mu.Unlock()
		if clients > 0 && !f(rm.key, clients, rm.current.Load().staleness()) {
			return false
		}
	}

	return true
}
