package room

import (
	"context"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// Slots bounds the loads of a router that run at once. Worse ranks leave slots to better ones: loads of failed keys take
// at most a quarter of the slots, and with the first loads of keys three quarters. Reloads of all rooms take at most half,
// and leave room as first loads do. Slow keys have places of their own, as many as there are slots.
//
// How long a load takes is not known before. So it has its slot for twice the median of the loads. If others wait then, a load of a failed
// key moves to the places of slow ones, if one is free, and any other goes on beside the slots, which three times as many
// loads may do. Where there is no room, a load keeps its slot until one is late, which ends and is tried again in its
// turn: the oldest of those beside the slots, or the load of a failed key itself.
type Slots struct {
	refreshes chan struct{}
	timeout   time.Duration
	typical   atomic.Int64 // what half of the loads do not exceed, zero before the first has succeeded

	mu      sync.Mutex
	free    [ranks]int      // free[r] are for the loads of rank r and of worse ones; free[slow] are the places of slow keys
	beside  int             // how many more loads may go on beside the slots
	running []*place        // in the order in which their loads started
	waiting [ranks][]*place // in the order of their coming
	newest  bool            // the newest first load is next, else the oldest
}

// NewSlots returns n slots for loads that are given up after timeout.
func NewSlots(n int, timeout time.Duration) *Slots {
	s := &Slots{refreshes: make(chan struct{}, (n+1)/2), timeout: timeout, beside: 3 * n}
	for r, eighths := range [ranks]int{good: 8, fresh: 6, failed: 2, slow: 8} {
		s.free[r] = (n*eighths + 7) / 8
	}

	return s
}

// times returns how long a load has its slot if others wait, and when it is late: much longer than others take, from a
// hundredth to a quarter of the timeout.
func (s *Slots) times() (usual, late time.Duration) {
	typical := time.Duration(s.typical.Load())
	if typical == 0 {
		typical = s.timeout / 400
	}

	return 2 * typical, 12 * typical
}

// succeeded has the typical duration follow the median, which a few slow keys do not move.
func (s *Slots) succeeded(took time.Duration) {
	typical := time.Duration(s.typical.Load())
	switch {
	case typical == 0:
		typical = took
	case took > typical:
		typical += typical / 4
	default:
		typical -= typical / 5
	}
	s.typical.Store(int64(min(max(typical, s.timeout/1200), s.timeout/48)))
}

// refreshing returns how many reloads of all rooms may run at once.
func (s *Slots) refreshing() int { return cap(s.refreshes) }

// refresh waits for a place for one of the reloads of all rooms. It reports false where ctx ended before.
func (s *Slots) refresh(ctx context.Context) (*place, bool) {
	select {
	case s.refreshes <- struct{}{}:
		return &place{slots: s, refresh: true}, true
	case <-ctx.Done():
		return nil, false
	}
}

// serveLocked has those begin who wait and for whom there are slots now. Worse ranks go first, so that none is starved: they
// cannot take what is for better ones.
func (s *Slots) serveLocked() {
	for r := slow; r >= good; r-- {
		for len(s.waiting[r]) > 0 {
			if full := slices.Index(s.takenBy(r), 0); full < 0 {
				s.nextLocked(r)
			} else if r == slow || !s.makeRoomLocked(rank(full)) {
				break
			}
		}
	}
}

// takenBy returns of what a load of the rank takes one each.
func (s *Slots) takenBy(r rank) []int {
	if r == slow {
		return s.free[slow:]
	}

	return s.free[:r+1]
}

// nextLocked gives slots to the next load of the rank. First loads begin from both ends: a new key does not wait for a
// crowd that came before, and one that waits does not starve where others keep coming.
func (s *Slots) nextLocked(r rank) {
	next := 0
	if r == fresh {
		if s.newest {
			next = len(s.waiting[r]) - 1
		}
		s.newest = !s.newest
	}
	p := s.waiting[r][next]
	s.waiting[r] = slices.Delete(s.waiting[r], next, next+1)
	s.addLocked(r, -1)
	p.at = inSlots
	close(p.turn)
}

// makeRoomLocked has one of the loads leave its slots that take some of the rank. It reports false where none has to.
func (s *Slots) makeRoomLocked(r rank) bool {
	usual, late := s.times()
	for _, p := range s.running {
		age := time.Since(p.began)
		switch {
		case p.at != inSlots || p.rank < r || p.rank == slow || age < usual:
		case p.rank == failed && s.free[slow] > 0:
			s.addLocked(failed, 1)
			s.addLocked(slow, -1)
			p.rank = slow

			return true
		case p.rank == failed && age >= late:
			p.interruptLocked()

			return true
		case p.rank <= fresh && s.besideLocked(late):
			s.addLocked(p.rank, 1)
			s.beside--
			p.at = besideSlots

			return true
		}
	}

	return false
}

// besideLocked reports whether another load may go on beside the slots, after one that is late has ended if need be.
func (s *Slots) besideLocked(late time.Duration) bool {
	if s.beside > 0 {
		return true
	}
	oldest := slices.IndexFunc(s.running, func(p *place) bool { return p.at == besideSlots })
	if oldest < 0 || time.Since(s.running[oldest].began) < late {
		return false
	}
	s.running[oldest].interruptLocked()

	return true
}

// addLocked adds n to what a load of the rank takes.
func (s *Slots) addLocked(r rank, n int) {
	taken := s.takenBy(r)
	for i := range taken {
		taken[i] += n
	}
}
