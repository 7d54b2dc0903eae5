package ssestream

// client is one follower of a room, and the seam between rooms and writing: a room wakes it, and whoever
// writes for it asks what is due. It holds no bytes of its own and no queue, only which state was sent.
type client struct {
	room  *room
	since uint64        // the first load that is young enough for it
	ready chan struct{} // holds a token when there may be something due
	sent  string        // the version that the peer has
	count uint64        // the number of the state that was sent last, 0 before the first
}

// newClient is for a peer that has the version lastEventID, if that is not empty.
func newClient(lastEventID string) *client {
	return &client{ready: make(chan struct{}, 1), sent: lastEventID}
}

// wake never blocks: a token that is there already will do.
func (c *client) wake() {
	select {
	case c.ready <- struct{}{}:
	default:
	}
}

// outcome is how far a client's first load is.
type outcome int

const (
	waiting outcome = iota
	opened          // the stream can begin, with or without a state
	refused         // there is no such state
)

// first answers whether the client's stream can begin.
func (c *client) first() (outcome, error) {
	s := c.room.current.Load()
	switch {
	case s.gone != nil && s.ended >= c.since:
		return refused, s.gone
	case s.failing, s.state != nil && s.loaded >= c.since:
		return opened, nil
	default:
		return waiting, nil
	}
}

// next answers the state that is due, nil if the client has it, and whether the stream goes on.
func (c *client) next() (due *state, ok bool) {
	s := c.room.current.Load()
	if s.gone != nil && s.ended >= c.since {
		return nil, false
	}
	if s.state == nil || s.loaded < c.since {
		return nil, true
	}
	if s.state.version == c.sent {
		c.count = s.state.number

		return nil, true
	}

	return s.state, true
}

// delivered notes that the state was sent and answers how many it took the place of.
func (c *client) delivered(s *state) (skipped uint64) {
	if c.count > 0 && s.number > c.count {
		skipped = s.number - c.count - 1
	}
	c.sent, c.count = s.version, s.number

	return skipped
}
