package room

import "github.com/feedmill/feedmill/ssestream/internal/wire"

// problemEvent is the name of the event that tells of a stream that is refused, on a connection of several.
const problemEvent = "problem"

// streams is what a client of several streams has beside its members.
type streams struct {
	width   int             // of the tokens in its event IDs, 0 on a connection of one stream
	resumed wire.Resumption // what the peer had when it connected
	told    idState         // what it knows of that since
}

// idState is what the last event ID that the peer has says.
type idState int

const (
	idBefore   idState = iota // it is the one that the peer came with
	idComplete                // it has all that the peer has
	idLacks                   // it lacks a state that the peer was found to have after it was sent
)

// NewStreams returns a client that follows up to n keys and has what lastEventID says.
func NewStreams(n int, lastEventID string) *Client {
	return &Client{
		ready:   make(chan struct{}, 1),
		members: make([]member, 0, n),
		streams: streams{width: wire.TokenWidth(n), resumed: wire.ParseResumption(lastEventID)},
	}
}

// several reports whether the connection carries several streams, each named.
func (c *Client) several() bool { return c.streams.width > 0 }

// AppendProblem appends an event that tells the peer why a stream is refused. It gives up a state of the stream that
// it may have, so its event ID must not speak for it any more.
func (c *Client) AppendProblem(dst, problem []byte) []byte {
	dst = wire.AppendName(dst, problemEvent)
	dst = wire.AppendData(dst, problem)

	return append(c.appendID(dst), '\n')
}

// update makes the frame that brings the peer the state of one of its streams. The data is shared.
func (c *Client) update(m *member, s *State, buf *[]byte) []byte {
	c.due = due{member: m, state: s, token: wire.Token(m.stream, s.Version, c.streams.width)}
	*buf = wire.AppendName((*buf)[:0], m.stream)
	*buf = append(*buf, s.Data...)
	*buf = append(c.appendID(*buf), '\n')

	return *buf
}

// refuse makes the frame that tells the peer that one of its streams is refused.
func (c *Client) refuse(m *member, gone error, buf *[]byte) []byte {
	c.due = due{member: m, problem: gone.Error()}
	*buf = c.AppendProblem((*buf)[:0], m.room.rooms.config.Problem(m.stream, gone))

	return *buf
}

// identify makes a block without data, which sets the peer's last event ID and dispatches nothing (WHATWG HTML,
// section 9.2.6). It is for a state that the peer was found to have after the last ID was sent.
func (c *Client) identify(buf *[]byte) []byte {
	*buf = append(c.appendID((*buf)[:0]), '\n')

	return *buf
}

// appendID appends the ID of what the peer will have with what is due: a token for each stream that it has a state
// of, after the digit for their length. Where it has none, the digit alone replaces an ID that no longer holds.
func (c *Client) appendID(dst []byte) []byte {
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
