package ssestream

import "encoding/json"

// problemEvent is the name of the event that tells of a stream that is refused, on a connection of several.
const problemEvent = "problem"

// streamProblem is a problem document that says which stream it is about.
type streamProblem struct {
	Stream string `json:"stream"`
	problem
}

// idState is how the last event ID of a connection of several streams is, as the peer has it.
type idState int

const (
	idBefore   idState = iota // it is the one that the peer came with
	idComplete                // it has all that the peer has
	idLacks                   // it lacks a state that the peer was found to have after it was sent
)

// update makes the frame that brings the peer the state of one of its streams. The data is the room's, shared; the
// event's name and ID are the client's own.
func (c *client) update(m *member, s *state, buf []byte) due {
	d := due{member: m, state: s, token: tokenOf(m.stream, s.version, c.width)}
	buf = appendName(buf[:0], m.stream)
	buf = append(buf, s.data...)
	d.frame = append(c.appendID(buf, d), '\n')

	return d
}

// refusal makes the frame that tells the peer that one of its streams is refused.
func (c *client) refusal(m *member, s *snapshot, buf []byte) due {
	d := due{member: m, refusal: s.refusal}
	buf = appendName(buf[:0], problemEvent)
	buf = appendData(buf, encodeProblem(m.stream, s.gone))
	d.frame = append(c.appendID(buf, d), '\n')

	return d
}

// identify makes a block without data, which sets the peer's last event ID and dispatches nothing (WHATWG HTML,
// section 9.2.6). It is for a state that need not be sent, found later than one that had to be.
func (c *client) identify(buf []byte) due {
	d := due{}
	d.frame = append(c.appendID(buf[:0], d), '\n')

	return d
}

func encodeProblem(stream string, err error) []byte {
	encoded, marshalErr := json.Marshal(streamProblem{Stream: stream, problem: problemOf(err)})
	if marshalErr != nil {
		return []byte("{}")
	}

	return encoded
}

// appendID appends the ID of what the peer will have with d: a token for each of its streams that it has a state
// of, after the digit that says how long they are. Where it has none the digit alone replaces an ID that no
// longer holds.
func (c *client) appendID(dst []byte, d due) []byte {
	c.told = idComplete
	dst = append(dst, "id: "...)
	dst = append(dst, widthDigit(c.width))
	for i := range c.members {
		m := &c.members[i]
		if m == d.member {
			dst = append(dst, d.token...)
		} else {
			dst = append(dst, m.token...)
		}
	}

	return append(dst, '\n')
}
