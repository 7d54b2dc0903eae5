package ssestream

import "encoding/json"

// problemEvent is the name of the event that tells of a stream that is refused, on a connection of several.
const problemEvent = "problem"

// streamProblem is a problem document that says which stream it is about.
type streamProblem struct {
	Stream string `json:"stream"`
	problem
}

// update makes the frame that brings the peer the state of one of its streams. The data is the room's, shared; the
// event's name and ID are the client's own.
func (c *client) update(m *member, s *state, buf []byte) due {
	d := due{member: m, state: s, token: token(m.stream, s.version, c.width)}
	buf = appendName(buf[:0], m.stream)
	buf = append(buf, s.data...)
	d.frame = append(c.appendID(buf, d), '\n')

	return d
}

// refusal makes the frame that tells the peer that one of its streams is refused.
func (c *client) refusal(m *member, s *snapshot, buf []byte) due {
	d := due{member: m, told: s.refusal}
	buf = appendName(buf[:0], problemEvent)
	buf = appendData(buf, encodeProblem(m.stream, s.gone))
	d.frame = append(c.appendID(buf, d), '\n')

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
