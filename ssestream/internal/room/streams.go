package room

import (
	"cmp"

	"github.com/feedmill/feedmill/ssestream/internal/wire"
)

// streams is what a client of several streams has beside its members.
type streams struct {
	width   int             // of the tokens in its event IDs, 0 on a connection of one stream
	resumed wire.Resumption // what the peer had when it connected
	told    idState         // what it knows of that since
	visible bool            // heartbeats are events
}

// idState is what the last event ID that the peer has says.
type idState uint8

const (
	idBefore   idState = iota // it is the one that the peer came with
	idComplete                // it has all that the peer has
	idLacks                   // it lacks a state that the peer was found to have after it was sent
)

// NewStreams returns a client that follows up to n keys and has what lastEventID says.
func NewStreams(n int, lastEventID string) *Client {
	c := newClient()
	c.members = make([]member, 0, n)
	c.streams = streams{width: wire.TokenWidth(n), resumed: wire.ParseResumption(lastEventID)}

	return c
}

// ShowHeartbeats has the peer's scripts see heartbeats.
func (c *Client) ShowHeartbeats() { c.streams.visible = true }

// Heartbeat implements response.Source.
func (c *Client) Heartbeat() []byte {
	if c.streams.visible {
		return c.Other([]byte(wire.VisibleHeartbeat))
	}

	return c.Other([]byte(wire.Heartbeat))
}

// several reports whether the connection carries several streams, each named.
func (c *Client) several() bool { return c.streams.width > 0 }

// AppendProblem appends an event that tells the peer of a problem of a stream. The state of the stream that the peer may
// have is sent again when the problem is over, so the event ID must not speak for it any more.
func (c *Client) AppendProblem(dst, problem []byte) []byte {
	dst = wire.AppendName(dst, wire.ProblemEvent)
	dst = wire.AppendData(dst, problem)

	return append(c.appendID(dst), '\n')
}

// update makes the frame that brings the peer the state of one of its streams. The data is shared.
func (c *Client) update(m *member, s *State, buf *[]byte) []byte {
	form := &s.Forms[m.form]
	c.due = due{member: m, state: s, token: wire.Token(m.stream, form.ID, c.streams.width)}
	*buf = (*buf)[:0]
	name, data := cmp.Or(form.Name, m.stream), form.Data
	if tail := m.tail(s, false); tail != nil {
		name, data = wire.AppendEventName+" "+name, tail
	}
	if name != wire.Message {
		*buf = c.peer.Other(*buf, wire.AppendName(make([]byte, 0, 64), name))
	}
	*buf = c.peer.AppendText(*buf, data, &m.last)
	*buf = c.appendEnd(*buf)

	return *buf
}

// tell makes the frame that tells the peer of a problem of one of its streams, once.
func (c *Client) tell(m *member, why error, encode func(stream string, err error) []byte, buf *[]byte) []byte {
	problem := encode(m.stream, why)
	if m.problem == string(problem) {
		return nil
	}
	c.due = due{member: m, problem: string(problem)}
	*buf = c.peer.Other((*buf)[:0], c.AppendProblem(nil, problem))

	return *buf
}

// identify makes a block without data, which sets the peer's last event ID and dispatches nothing (WHATWG HTML,
// section 9.2.6). It is for a state that the peer was found to have after the last ID was sent.
func (c *Client) identify(buf *[]byte) []byte {
	*buf = c.appendEnd((*buf)[:0])

	return *buf
}

// appendEnd appends the event ID and the end of an event, as they are sent.
func (c *Client) appendEnd(dst []byte) []byte {
	return c.peer.Other(dst, append(c.appendID(make([]byte, 0, 160)), '\n'))
}

// appendID appends the ID of what the peer will have with what is due: a token for each stream that it has a state
// of, after the digit for their length. Where it has none, the digit alone replaces an ID that no longer holds. On a
// connection of one stream that is the empty ID.
func (c *Client) appendID(dst []byte) []byte {
	if !c.several() {
		return append(dst, "id:\n"...)
	}
	c.streams.told = idComplete
	dst = append(dst, "id: "...)
	dst = append(dst, wire.WidthDigit(c.streams.width))
	for i := range c.members {
		m := &c.members[i]
		if m == c.due.member {
			dst = append(dst, c.due.token...)
		} else {
			dst = append(dst, m.token...)
		}
	}

	return append(dst, '\n')
}
