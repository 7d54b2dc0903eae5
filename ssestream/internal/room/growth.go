package room

import (
	"bytes"
	"sync"
	"unicode/utf8"

	"github.com/feedmill/feedmill/ssestream/internal/coding"
	"github.com/feedmill/feedmill/ssestream/internal/wire"
)

// Growth is the JSON of a state that is a text. A peer that has the beginning of the text is sent what was appended to it.
//
// Of a room's states those from the number since on are beginnings of each other, in the order of their numbers. So the
// number and the length of the text that a peer has are enough to know what it lacks, however many states it skipped.
type Growth struct {
	json   []byte
	id     string
	stored bool // it is never compressed
	since  uint64
	peers  int // how many are expected

	mu     sync.Mutex
	tails  map[tail]*coding.Text
	shared int // bytes of text that the tails have
}

// tail says which part of a text is sent.
type tail struct {
	from  int
	whole bool // with the name and the ID of the event
}

const (
	// maxTails is how many tails of a text are shared and compressed. Peers that lack something else are slow.
	maxTails = 16
	// maxOwn is how long an event may be that a slow peer is sent alone. It lasts until the peer has it.
	maxOwn = 4 << 10
)

// NewGrowth returns the growth of a state with that JSON and event ID. It returns nil if the JSON is not that of a text.
func NewGrowth(json []byte, id string, stored bool) *Growth {
	if len(json) < 2 || json[0] != '"' || bytes.ContainsAny(json, "\r\n") || !utf8.Valid(json) {
		return nil
	}

	return &Growth{json: json, id: id, stored: stored}
}

// follow notes the number of the text's state, and the text before it, which may be nil.
func (g *Growth) follow(before *Growth, number uint64) {
	switch {
	case g == nil:
	case before != nil && bytes.HasPrefix(g.json, before.json[:len(before.json)-1]):
		g.since = before.since
	default:
		g.since = number
	}
}

// len returns the length of the text as a peer has it, 0 if there is none.
func (g *Growth) len() int {
	if g == nil {
		return 0
	}

	return len(g.json)
}

// continues reports whether a peer with a text of that length, of the state with that number, can be sent a tail.
func (g *Growth) continues(number uint64, length int) bool {
	return g != nil && length > 0 && length <= len(g.json) && number >= g.since
}

// text returns the event that appends what follows the first bytes of the text, or only its data, as part of an event. It
// returns nil where an event would cost more memory than the whole text, which all peers share.
func (g *Growth) text(from int, whole bool) *coding.Text {
	g.mu.Lock()
	defer g.mu.Unlock()
	t := tail{from: from, whole: whole}
	if made := g.tails[t]; made != nil {
		return made
	}
	rest := g.json[from-1:] // from where the closing quote was
	shared := len(g.tails) < maxTails && g.shared+len(rest) <= len(g.json)+maxTails*maxOwn
	if !shared && whole && len(rest) > maxOwn { // Data is copied into an event of the peer's own in any case.
		return nil
	}
	event := make([]byte, 0, len(rest)+len(g.id)+64)
	if whole {
		event = append(wire.AppendName(event, wire.AppendEventName), "id: "+g.id+"\n"...)
	}
	event = append(append(append(event, `data: "`...), rest...), '\n')
	if whole {
		event = append(event, '\n')
	}
	made := coding.NewText(event, g.stored || !shared)
	made.Expect(g.peers)
	if shared {
		if g.tails == nil {
			g.tails = map[tail]*coding.Text{}
		}
		g.tails[t] = made
		g.shared += len(rest)
	}

	return made
}
