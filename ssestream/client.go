package ssestream

import "sync/atomic"

// client is one HTTP peer, and the seam between rooms and writing: a room wakes it, and whoever writes for it asks
// what is due. It holds no bytes of its own and no queue, only which states were sent.
//
// Only one goroutine at a time asks and delivers: the request's own, and for a connection that was taken over its
// shard's or the one that writes for it while it is slow. They hand it over by channels and locks.
type client struct {
	members []member
	turn    int        // the member that is asked first
	width   int        // of the tokens in the event IDs of several streams, 0 on a connection of one stream
	resumed resumption // what the peer had of several streams when it connected
	told    idState    // what it knows of that since

	ready chan struct{}        // holds a token when there may be something due
	conn  atomic.Pointer[conn] // where there is one, it is told instead
}

// member is a client's part in one room: which state of it the peer has.
type member struct {
	client  *client
	room    *room
	place   int    // in room.members
	stream  string // the stream's name on a connection of several
	since   uint64 // the first load that is young enough for it
	sent    string // the version that the peer has
	token   string // stands for sent in the event IDs of a connection of several streams
	number  uint64 // of the state that was sent last, 0 before the first
	refusal uint64 // the one that the peer was told of last
}

// newClient is for a peer that follows one stream and has the version lastEventID, if that is not empty.
func newClient(lastEventID string) *client {
	// One piece of memory, for both are looked at with every write.
	c := &struct {
		client
		only [1]member
	}{client: client{ready: make(chan struct{}, 1)}}
	c.only[0] = member{client: &c.client, sent: lastEventID}
	c.members = c.only[:]

	return &c.client
}

// several says whether the connection carries several streams, each named.
func (c *client) several() bool { return c.width > 0 }

// wake never blocks: a token that is there already will do.
func (c *client) wake() {
	if taken := c.conn.Load(); taken != nil {
		taken.shard.push(taken)

		return
	}
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

// first answers whether the client's stream can begin. With several streams it begins with the first of them,
// and refusals are sent on it.
func (c *client) first() (outcome, error) {
	for i := range c.members {
		result, err := c.members[i].first()
		if result == refused && c.several() {
			return opened, nil
		}
		if result != waiting {
			return result, err
		}
	}

	return waiting, nil
}

func (m *member) first() (outcome, error) {
	s := m.room.current.Load()
	switch {
	case s.gone != nil && s.ended >= m.since:
		return refused, s.gone
	case s.failing, s.state != nil && s.loaded >= m.since:
		return opened, nil
	default:
		return waiting, nil
	}
}

// due is what a client has to be sent next.
type due struct {
	frame     []byte  // may be in the buffer that was handed to next; nil if nothing is due
	member    *member // nil for what is of no stream
	state     *state  // nil for a refusal
	token     string  // stands for the state
	refusal   uint64
	heartbeat bool
}

// next answers what is due and whether the stream goes on. Members are asked in
// turn, so that a state that changes all the time does not keep the others from a slow client. A frame of one of
// several streams is made in buf, for its event ID is the client's own.
func (c *client) next(buf []byte) (due, bool) {
	for range c.members {
		m := &c.members[c.turn]
		c.turn = (c.turn + 1) % len(c.members)
		s := m.room.current.Load()
		if s.gone != nil && s.ended >= m.since {
			if !c.several() {
				return due{}, false
			}
			if m.refusal < s.refusal {
				return c.refusal(m, s, buf), true
			}

			continue
		}
		if s.state == nil || s.loaded < m.since {
			continue
		}
		if m.has(s.state) {
			m.number = s.state.number

			continue
		}
		if !c.several() {
			return due{frame: s.state.frame, member: m, state: s.state}, true
		}

		return c.update(m, s.state, buf), true
	}

	if c.told == idLacks {
		return c.identify(buf), true
	}

	return due{}, true
}

// has says whether the peer has the state, from this connection or from the one before.
func (m *member) has(s *state) bool {
	if m.sent == "" && m.refusal == 0 && m.client.resumed.has(m.stream, s.version) {
		m.sent, m.token = s.version, tokenOf(m.stream, s.version, m.client.width)
		if m.client.told == idComplete {
			m.client.told = idLacks
		}
	}

	return m.sent == s.version
}

// delivered notes that d was sent and answers how many states it took the place of.
func (c *client) delivered(d due) (skipped uint64) {
	m := d.member
	if m == nil {
		return 0
	}
	m.token = d.token
	if d.state == nil {
		m.sent, m.refusal = "", d.refusal

		return 0
	}
	if m.number > 0 && d.state.number > m.number {
		skipped = d.state.number - m.number - 1
	}
	m.sent, m.number = d.state.version, d.state.number

	return skipped
}
