package room

import (
	"context"
	"math"
	"sync/atomic"
	"time"

	"github.com/feedmill/feedmill/ssestream/internal/coding"
	"github.com/feedmill/feedmill/ssestream/internal/wire"
)

// Client is one HTTP peer. It implements response.Source, for one goroutine at a time.
type Client struct {
	members []member
	only    [1]member // the place of members on a connection of one stream
	turn    int       // the member that is asked first
	asks    bool      // it asks once, for answers, and is not written to
	sent    string    // the event ID that the peer of one stream came with
	streams streams   // of a connection of several streams
	due     due
	peer    coding.Peer

	ready ready // nil after Redirect
	waker atomic.Pointer[Waker]
}

// Waker is told when there may be something due.
type Waker interface{ Wake() }

// ready is a channel that holds a token when there may be something due.
type ready chan struct{}

// Wake implements [Waker]. It does not block: one token in the channel will do.
func (r ready) Wake() {
	select {
	case r <- struct{}{}:
	default:
	}
}

// member is a client's part in one room: which state of it the peer has.
type member struct {
	client  *Client
	room    *room
	place   int    // in room.members
	stream  string // the stream's name on a connection of several
	form    int    // which of State.Forms it follows
	since   uint64 // the first load that is young enough for it
	sent    string // the ID of the form that the peer has
	token   string // stands for sent in the event IDs of a connection of several streams
	number  uint64 // of the state that was sent last, 0 before the first
	length  int    // of that state's text, 0 if it is none
	last    coding.Last
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

// NewClient returns a client that follows one key and has the state of lastEventID, if that is not empty.
func NewClient(lastEventID string) *Client {
	c := newClient()
	c.sent = lastEventID
	c.members = c.only[:0]

	return c
}

func newClient() *Client {
	c := &Client{ready: make(ready, 1)}
	c.wakeBy(c.ready)

	return c
}

func (c *Client) wakeBy(w Waker) { c.waker.Store(&w) }

// join adds a member to the client and to the room.
func (c *Client) join(rm *room, stream string, form int) bool {
	c.members = append(c.members, member{client: c, stream: stream, form: form, sent: c.sent})
	if rm.join(&c.members[len(c.members)-1]) {
		return true
	}
	c.members = c.members[:len(c.members)-1]

	return false
}

// Follows reports whether one of the client's rooms has the key.
func (c *Client) Follows(key string) bool {
	for i := range c.members { // What else is in a member is of who writes.
		if c.members[i].room.key == key {
			return true
		}
	}

	return false
}

// KeyOf returns the key that the client follows under the stream's name, if it does.
func (c *Client) KeyOf(stream string) (key string, ok bool) {
	for i := range c.members {
		if m := &c.members[i]; m.stream == stream {
			return m.room.key, true
		}
	}

	return "", false
}

// Size returns the size of the client's state. It returns [math.MaxInt] if the state is not loaded yet, or if the peer asked for
// several streams, however many of them it was refused.
func (c *Client) Size() int {
	if asked := cap(c.members); asked > 1 || len(c.members) == 0 {
		return math.MaxInt
	}
	m := &c.members[0]
	s := m.room.current.Load()
	if s.state == nil || s.loaded < m.since {
		return math.MaxInt
	}

	return len(s.state.Forms[m.form].Frame.Bytes())
}

// Compress sets the coding of what is sent to the peer. It must be called before anything is sent.
func (c *Client) Compress(coding coding.Coding) { c.peer.Coding = coding }

// Other implements response.Source.
func (c *Client) Other(p []byte) []byte { return c.peer.Other(nil, p) }

// Leave takes the client out of its rooms.
func (c *Client) Leave() {
	for i := range c.members {
		m := &c.members[i]
		m.room.rooms.leave(m)
	}
}

// Ready receives when there may be something due.
func (c *Client) Ready() <-chan struct{} { return c.ready }

// Redirect has w told from now on, in place of the channel of Ready, and once for what came before.
func (c *Client) Redirect(w Waker) {
	c.wakeBy(w)
	c.ready = nil
	w.Wake()
}

// wake does not block.
func (c *Client) wake() { (*c.waker.Load()).Wake() }

// Await waits until the client's stream can begin, at most for the given time: a slow load must not keep the peer
// waiting for the header. It returns the error of a load that found that there is no such state, and reports false
// where ctx or one of the channels ends before.
func (c *Client) Await(ctx context.Context, atMost time.Duration, closed, left <-chan struct{}) (ok bool, gone error) {
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
		case <-left:
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
		if m.goneIn(s) && !c.several() {
			return true, s.gone
		}
		if ok = s.waiting() || s.loaded >= m.since; ok {
			break
		}
	}

	return ok, nil
}

// goneIn reports whether there is no such state any more, as of the member's joining or later.
func (m *member) goneIn(s *snapshot) bool { return s.gone != nil && s.loaded >= m.since }

// Next implements response.Source. Members are asked in turn, so that a state that changes all the time does not
// keep the others from a slow client. The frames of several streams are in buf, for their event IDs are the client's
// own.
func (c *Client) Next(buf *[]byte) (frame []byte, more bool) {
	c.due = due{}
	for range c.members {
		m := &c.members[c.turn]
		c.turn = (c.turn + 1) % len(c.members)
		s := m.room.current.Load()
		if m.goneIn(s) && !c.several() {
			return nil, false
		}
		if frame = c.next(m, s, buf); frame != nil {
			c.due.bytes = len(frame)

			return frame, true
		}
	}
	if c.streams.told == idLacks {
		return c.identify(buf), true
	}

	return nil, true
}

// next returns what is due of one stream.
func (c *Client) next(m *member, s *snapshot, buf *[]byte) []byte {
	there := s.state != nil && s.loaded >= m.since
	config := m.room.rooms.config
	switch {
	case m.goneIn(s):
		return c.tell(m, s.gone, config.Problem, buf)
	case there && s.state.Forms[m.form].Err != nil:
		return c.tell(m, s.state.Forms[m.form].Err, config.Stale, buf)
	case s.stale != nil && (m.problem != "" || !there || m.has(s.state)):
		return c.tell(m, s.stale, config.Stale, buf)
	case !there:
	case m.has(s.state):
		m.number, m.length = s.state.number, s.state.Forms[m.form].Text.len()
	case c.several():
		return c.update(m, s.state, buf)
	default:
		c.due = due{member: m, state: s.state}
		frame := s.state.Forms[m.form].Frame
		if tail := m.tail(s.state, true); tail != nil {
			frame = tail
		}

		return c.peer.Text(frame, &m.last)
	}

	return nil
}

// has reports whether the peer has the state, from this connection or from the one before.
func (m *member) has(s *State) bool {
	id := s.Forms[m.form].ID
	if c := m.client; c.several() && m.sent == "" && m.problem == "" && c.streams.resumed.Has(m.stream, id) {
		m.sent, m.token = id, wire.Token(m.stream, id, c.streams.width)
		if c.streams.told == idComplete {
			c.streams.told = idLacks
		}
	}

	return m.sent == id
}

// tail returns what appends to the text that the peer has, as an event or only its data. It returns nil where the peer has to be
// sent the whole state.
func (m *member) tail(s *State, event bool) *coding.Text {
	if text := s.Forms[m.form].Text; m.sent != "" && text.continues(m.number, m.length) {
		return text.text(m.length, event)
	}

	return nil
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
	form := &d.state.Forms[m.form]
	m.sent, m.number, m.length = form.ID, d.state.number, form.Text.len()
}
