package outbox

import (
	"maps"
	"slices"
	"sync"
	"time"
)

const (
	// maxLateness is the longest time between the Add of a message and its commit after which the next search finds it.
	// The next sweep finds a message that commits later.
	maxLateness = time.Second
	// orderedLateness is maxLateness for ordered topics: newer messages overtake one that is found late. By default a
	// transaction waits for locks for 50 seconds at most.
	orderedLateness = time.Minute
	// minSweepInterval is the least time between sweeps.
	minSweepInterval = time.Second
	// sweepShare limits sweeps to one part in this many of the time.
	sweepShare = 20
	// maxKnownTopics is the maximum number of topics that are remembered.
	maxKnownTopics = 1000
)

// marks are low-water marks of a queue: the ids after which a relay searches for messages. Without them each search
// would read all rows that were deleted since the oldest snapshot was opened, for example by a dump, because the
// database keeps them until then. The nil *marks has no marks. It is for databases that do not keep deleted rows.
//
// Messages can appear below a mark: late commits, rows that another relay had locked and returned, parked messages that
// return to their places, and ids that start again after a TRUNCATE. They are found nevertheless. A mark is between one
// and two times lateness old. This process lowers its marks for messages that it returns itself. And a sweep searches
// all rows; it is due a second after the last one, or later if that took long.
//
// Ordered topics cannot wait for a sweep. Each return of parked messages begins a new generation, which the database
// counts. A search is stale if it began in an earlier one.
type marks struct {
	mu         sync.Mutex
	all        mark
	topics     map[string]*mark
	sweep      time.Time // when the next one is due
	inOrder    bool      // orderedLateness applies
	generation int64     // marks are below all messages that returned up to it
}

// mark is the low-water mark of the queue or of one topic.
type mark struct {
	gone int64     // no message up to it was visible when it was last raised
	next int64     // will be gone
	last int64     // the last id that was seen
	due  time.Time // when next takes the place of gone
}

// lower moves the mark below the message with the id.
func (m *mark) lower(id int64) { m.gone, m.next = min(m.gone, id-1), min(m.next, id-1) }

// saw updates the mark with the first and last id that a search has found, or with zeros if it has found none.
func (m *mark) saw(now time.Time, lateness time.Duration, first, last int64) {
	gone := m.last
	if first > 0 {
		gone = first - 1
		if first <= m.gone { // below the mark: the ids may have started again
			m.last = 0
		}
		m.last = max(m.last, last)
		m.lower(first)
	}
	if !now.Before(m.due) {
		m.gone, m.next, m.due = m.next, gone, now.Add(lateness)
	}
}

// search is one search for messages.
type search struct {
	marks      *marks
	began      time.Time
	sweep      bool  // it passes over nothing
	generation int64 // of the marks
}

func (m *marks) lateness() time.Duration {
	if m.inOrder {
		return orderedLateness
	}
	return maxLateness
}

// keepOrder makes orderedLateness apply from now on.
func (m *marks) keepOrder() {
	if m == nil {
		return
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.inOrder = true
}

func (m *marks) search() search {
	if m == nil {
		return search{sweep: true}
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	now := time.Now()
	return search{marks: m, began: now, sweep: !now.Before(m.sweep), generation: m.generation}
}

// stale reports whether messages have returned since the marks of the search were read. The marks are then below all
// messages.
func (s search) stale(generation int64) bool {
	m := s.marks
	if m == nil || s.generation == generation {
		return false
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.generation != generation {
		m.generation = generation
		m.lowerAll(1)
	}
	return true
}

// raises reports whether the search may raise the mark of all topics.
func (s search) raises() bool {
	if s.marks == nil {
		return false
	}
	s.marks.mu.Lock()
	defer s.marks.mu.Unlock()
	return !s.began.Before(s.marks.all.due)
}

// from returns the id after which to search for messages of all topics.
func (s search) from() int64 {
	if s.sweep {
		return 0
	}
	s.marks.mu.Lock()
	defer s.marks.mu.Unlock()
	return s.marks.all.gone
}

// topics returns the known topics, in order, and the id after which to search for messages of each, if it is greater
// than from.
func (s search) topics() (topics []string, from map[string]int64) {
	if s.sweep {
		return nil, nil
	}
	s.marks.mu.Lock()
	defer s.marks.mu.Unlock()
	from = make(map[string]int64, len(s.marks.topics))
	for topic, m := range s.marks.topics {
		from[topic] = m.gone
	}
	return slices.Sorted(maps.Keys(s.marks.topics)), from
}

// sawTopics records topics.
func (s search) sawTopics(topics []string) {
	m := s.marks
	if m == nil {
		return
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, topic := range topics {
		if m.topics[topic] != nil {
			continue
		}
		if len(m.topics) >= maxKnownTopics {
			clear(m.topics)
			m.sweep = time.Time{} // a sweep finds those that have messages
		}
		m.topics[topic] = &mark{}
	}
}

// saw updates the mark of all topics with the ids that the search has found.
func (s search) saw(first, last int64) {
	if s.marks == nil {
		return
	}
	s.marks.mu.Lock()
	defer s.marks.mu.Unlock()
	s.marks.all.saw(s.began, s.marks.lateness(), first, last)
}

// sawTopic updates the marks with the ids of a topic that the search has found.
func (s search) sawTopic(topic string, ids []int64) {
	m := s.marks
	if m == nil {
		return
	}
	var first, last int64
	if len(ids) > 0 {
		first, last = ids[0], ids[len(ids)-1]
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if known := m.topics[topic]; known != nil {
		known.saw(time.Now(), m.lateness(), first, last)
	}
	m.all.last = max(m.all.last, last)
	if first > 0 {
		m.all.lower(first)
	}
}

// learn takes over the last id that other marks of the same queue have seen.
func (m *marks) learn(other *marks) {
	if m == nil {
		return
	}
	other.mu.Lock()
	last := other.all.last
	other.mu.Unlock()
	m.mu.Lock()
	defer m.mu.Unlock()
	m.all.last = max(m.all.last, last)
}

// end returns the time until the next sweep is due, or 0 if the search was a sweep.
func (s search) end() time.Duration {
	m := s.marks
	if m == nil {
		return 0
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	now := time.Now()
	if s.sweep {
		m.sweep = now.Add(max(minSweepInterval, sweepShare*now.Sub(s.began)))
		return 0
	}
	return max(1, m.sweep.Sub(now))
}

// lower moves the marks below the messages. id is their smallest one. For 0 it does nothing.
func (m *marks) lower(id int64) {
	if m == nil || id == 0 {
		return
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.lowerAll(id)
}

func (m *marks) lowerAll(id int64) {
	m.all.lower(id)
	for _, topic := range m.topics {
		topic.lower(id)
	}
}
