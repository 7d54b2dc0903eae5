package wire

import "strings"

// MaxStreams is the most streams that one connection carries. A token for each has to fit into one event ID.
const MaxStreams = 16

// The event ID of a connection of several streams stands for the states of all of them. It is a digit for the
// length of a token, and then one token for each stream whose state the peer has, in any order. A token is the
// beginning of a hash of the stream's name and the ID of its state, so every instance understands it, also when the peer comes
// back for other streams. With the most streams a token has 42 bits: a state is taken for one that the peer has in
// one of 2^42/256 reconnects, about one in 17 billion.

// maxToken is the length of a whole token, that of Stamp.
const maxToken = 16

// TokenWidth returns the length of a token on a connection of that many streams, from 1 to [MaxStreams].
func TokenWidth(streams int) int { return min(maxToken, (maxEventIDLength-1)/streams) }

// Token returns what stands for the stream's state of that ID.
func Token(stream, id string, width int) string {
	return Stamp([]byte(stream + "\x00" + id))[:width]
}

// WidthDigit returns the digit for a width from 0 to 16.
func WidthDigit(width int) byte { return "abcdefghijklmnopq"[width] }

// Resumption is what a peer has, by its last event ID.
type Resumption struct {
	width  int
	tokens string
}

// ParseResumption returns an empty resumption for an ID of another kind; the peer then gets every state.
func ParseResumption(id string) Resumption {
	if id == "" || len(id) > maxEventIDLength {
		return Resumption{}
	}
	width := int(id[0]) - 'a'
	if width < TokenWidth(MaxStreams) || width > maxToken || (len(id)-1)%width != 0 {
		return Resumption{}
	}

	return Resumption{width: width, tokens: id[1:]}
}

// Has reports whether the peer has the state of that ID on the stream.
func (r Resumption) Has(stream, id string) bool {
	if r.width == 0 {
		return false
	}
	want := Token(stream, id, r.width)
	for rest := r.tokens; rest != ""; rest = rest[r.width:] {
		if strings.HasPrefix(rest, want) {
			return true
		}
	}

	return false
}
