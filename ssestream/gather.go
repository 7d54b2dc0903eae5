package ssestream

import "time"

// A client that joins needs a load that starts afterwards. Where they come one by one that is a load each; a crowd
// that reconnects at once would have a quick store load all the time. So a room gathers: after a few loads in a row
// that only joins asked for, the next ones are put off, each twice as long as the one before. A crowd then costs a
// handful of loads, whatever its size, and nobody waits longer than the crowd has lasted. A load that an event asks
// for is never put off, and who comes alone is served at once.
const (
	freeJoins = 8
	minGather = 10 * time.Millisecond
	maxGather = 250 * time.Millisecond
	sparse    = 5 * time.Millisecond
)

// gathering is what a room knows of the joins that come.
type gathering struct {
	streak int           // the loads in a row, each soon after the other, that only joins asked for
	joined int           // who joined since the last load began
	events bool          // an event asks for the next load
	hurry  chan struct{} // holds a token when an event came while joins are gathered
}

// window is how long after the load before the next one starts.
func (g *gathering) window() time.Duration {
	if g.streak <= freeJoins {
		return 0
	}

	return min(minGather<<min(g.streak-freeJoins-1, 10), maxGather)
}

// event notes that an event asks for the next load.
func (g *gathering) event() {
	g.events = true
	select {
	case g.hurry <- struct{}{}:
	default:
	}
}

// begin notes that a load begins: it is for all that asked so far. Where few were gathered, fewer than one in 5 ms, the
// crowd is over, although some still come.
func (g *gathering) begin() {
	switch {
	case g.events:
		g.streak = 0
	case time.Duration(g.joined)*sparse < g.window():
		g.streak /= 2
	}
	g.events, g.joined = false, 0
	select {
	case <-g.hurry:
	default:
	}
}

// until answers how long the next load is put off, by when the load before it began. The zero time is not at all.
func (g *gathering) until(began time.Time) time.Time {
	if g.events {
		return time.Time{}
	}
	if time.Since(began) >= 2*max(g.window(), minGather) {
		g.streak = 0
	}
	g.streak++
	if g.window() == 0 {
		return time.Time{}
	}

	return began.Add(g.window())
}

// gather waits for more joins where they come as a crowd, and says whether the room is still there.
func (rm *room) gather() bool {
	rm.mu.Lock()
	until := rm.joins.until(rm.began)
	rm.mu.Unlock()
	if until.IsZero() {
		return true
	}
	timer := time.NewTimer(time.Until(until))
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-rm.joins.hurry:
		return true
	case <-rm.ctx.Done():
		return false
	}
}
