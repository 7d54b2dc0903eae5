package room

import "context"

// Answer is what a room has for a client that asks once. Both fields are nil where it has nothing yet.
type Answer struct {
	State *State
	Err   error // why there is no state
}

// NewAsker returns a client that asks up to n rooms once. It does not count as one that follows them.
func NewAsker(n int) *Client {
	c := newClient()
	c.members, c.asks = make([]member, 0, n), true

	return c
}

// Answers waits until all of the client's rooms have something for it, or ctx ends. It returns what they have, in the
// order in which it joined them: states as of then or later, and errors of loads.
func (c *Client) Answers(ctx context.Context) []Answer {
	answers := make([]Answer, len(c.members))
	for {
		complete := true
		for i := range answers {
			answers[i] = c.members[i].answer()
			complete = complete && answers[i] != Answer{}
		}
		if complete || ctx.Err() != nil {
			return answers
		}
		select {
		case <-c.ready:
		case <-ctx.Done():
		}
	}
}

func (m *member) answer() Answer {
	s := m.room.current.Load()
	switch {
	case m.goneIn(s):
		return Answer{Err: s.gone}
	case s.state != nil && s.loaded >= m.since:
		if err := s.state.Forms[m.form].Err; err != nil {
			return Answer{Err: err}
		}

		return Answer{State: s.state}
	case s.stale != nil:
		return Answer{Err: s.stale}
	case s.failing:
		return Answer{Err: m.room.lastFailure()}
	default:
		return Answer{}
	}
}

// lastFailure returns the error of the last load, or nil if it has succeeded.
func (rm *room) lastFailure() error {
	rm.mu.Lock()
	defer rm.mu.Unlock()

	return rm.failure
}
