package room

import (
	"context"
	"sync/atomic"
	"time"

	"github.com/feedmill/feedmill/ssestream/internal/wire"
)

// Client is one HTTP peer. It implements response.Source, for one goroutine at a time.
type Client struct {
	members []member
	only    [1]member // the place of members on a connection of one stream
	turn    int       // the member that is asked first
	sent    string    // the version that the peer of one stream came with
	streams streams   // of a connection of several streams
	due     due

	ready chan struct{} // holds a token when there may be something due
	waker atomic.Pointer[Waker]
}

// Waker is told when there may be something due, in place of the channel of Ready.
type Waker interface{ Wake() }

// member is a client's part in one room: which state of it the peer has.
type member struct {
	client  *Client
	room    *room
	place   int    // in room.members
	stream  string // the stream's name on a connection of several
	since   uint64 // the first load that is young enough for it
	sent    string // the version that the peer has
	token   string // stands for sent in the event IDs of a connection of several streams
	number  uint64 // of the state that was sent last, 0 before the first
	problem string // the one that the peer was told last, of a stream without a state
}

// due is what Next returned last.
type due struct {
	member  *member // nil for what is of no stream
	state   *State  // nil for a problem
	token   string  // stands for the state
	problem string
	bytes   int
}

// NewClient returns a client that follows one key and has the version lastEventID, if that is not empty.
func NewClient(lastEventID string) *Client {
	c := &Client{ready: make(chan struct{}, 1), sent: lastEventID}
	c.members = c.only[:0]

	return c
}

// join adds a member to the client and to the room.
func (c *Client) join(rm *room, stream string) bool {
	c.members = append(c.members, member{client: c, stream: stream, sent: c.sent})
	if rm.join(&c.members[len(c.members)-1]) {
		return true
	}
	c.members = c.members[:len(c.members)-1]

	return false
}

// Leave takes the client out of its rooms.
func (c *Client) Leave() {
	for i := range c.members {
		m := &c.members[i]
		m.room.rooms.leave(m)
	}
}

// Ready receives when there may be something due.
func (c *Client) Ready() <-chan struct{} { return c.ready }

// Redirect has w told from now on, and once for what came before.
func (c *Client) Redirect(w Waker) {
	c.waker.Store(&w)
	w.Wake()
}

// wake does not block: one token in the channel will do.
func (c *Client) wake() {
	if w := c.waker.Load(); w != nil {
		(*w).Wake()

		return
	}
	select {
	case c.ready <- struct{}{}:
	default:
	}
}

// Await waits until the client's stream can begin, at most for the given time: a slow load must not keep the peer
// waiting for the header. It returns the error of a load that found that there is no such state, and reports false
// where ctx or closed ends before.
func (c *Client) Await(ctx context.Context, atMost time.Duration, closed <-chan struct{}) (ok bool, gone error) {
	timer := time.NewTimer(atMost)
	defer timer.Stop()
	for {
		if ok, gone := c.first(); ok {
			return true, gone
		}
		select {
		case <-c.ready:
		case <-timer.C:
			return true, nil
		case <-ctx.Done():
			return false, nil
		case <-closed:
			return false, nil
		}
	}
}

// first reports whether the stream can begin. With several streams it begins with the first of them, and problems are
// sent on it.
func (c *Client) first() (ok bool, gone error) {
	for i := range c.members {
		m := &c.members[i]
		s := m.room.current.Load()
		switch {
		case s.gone != nil && s.loaded >= m.since && !c.several():
			return true, s.gone
		case s.failing, s.loaded >= m.since:
			return true, nil
		}
	}

	return false, nil
}

// Next implements response.Source. Members are asked in turn, so that a state that changes all the time does not
// keep the others from a slow client. The frames of several streams are in buf, for their event IDs are the client's
// own.
func (c *Client) Next(buf *[]byte) (frame []byte, more bool) {
	c.due = due{}
	for range c.members {
		m := &c.members[c.turn]
		c.turn = (c.turn + 1) % len(c.members)
		s := m.room.current.Load()
		switch {
		case s.gone != nil && s.loaded >= m.since:
			if !c.several() {
				return nil, false
			}
			if m.problem != s.gone.Error() {
				frame = c.refuse(m, s.gone, buf)
			}
		case s.state == nil || s.loaded < m.since:
		case m.has(s.state):
			m.number = s.state.number
		case c.several():
			frame = c.update(m, s.state, buf)
		default:
			c.due = due{member: m, state: s.state}
			frame = s.state.Frame
		}
		if frame != nil {
			c.due.bytes = len(frame)

			return frame, true
		}
	}
	if c.streams.told == idLacks {
		return c.identify(buf), true
	}

	return nil, true
}

// has reports whether the peer has the state, from this connection or from the one before.
func (m *member) has(s *State) bool {
	if c := m.client; c.several() && m.sent == "" && m.problem == "" && c.streams.resumed.Has(m.stream, s.Version) {
		m.sent, m.token = s.Version, wire.Token(m.stream, s.Version, c.streams.width)
		if c.streams.told == idComplete {
			c.streams.told = idLacks
		}
	}

	return m.sent == s.Version
}

// Written implements response.Source.
func (c *Client) Written() {
	d := c.due
	c.due = due{}
	m := d.member
	if m == nil {
		return
	}
	config := m.room.rooms.config
	defer func() { // Last, so that what is counted has been traced and recorded.
		config.Metrics.Bytes.Add(int64(d.bytes))
		config.Metrics.Frames.Add(1)
	}()
	m.token, m.problem = d.token, d.problem
	if d.state == nil {
		m.sent = ""

		return
	}
	if d.state.span.IsSampled() && !d.state.written.Swap(true) {
		config.Traces.FirstWrite(d.state.span, d.state.loaded)
	}
	if m.number > 0 { // The first state of a client is as old as it is.
		config.Metrics.Delivered(d.state.cause, d.state.span)
		if d.state.number > m.number+1 {
			config.Metrics.Skipped.Add(int64(d.state.number - m.number - 1)) //nolint:gosec // G115: a count of states
		}
	}
	m.sent, m.number = d.state.Version, d.state.number
}
