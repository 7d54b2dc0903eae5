package ssestream

import "strings"

// MaxStreams is how many streams one connection carries at most. A token for each has to fit into one event ID.
const MaxStreams = 16

// The event ID of a connection of several streams stands for the versions of all of them: a digit that says how long
// a token is, and then one token for each stream that the peer has a state of, in any order. A token is the beginning
// of a hash of the stream's name and its version, so that every instance understands it, and so that it still does
// when the peer comes back for other streams. With the most streams a token has 42 bits: that a state is taken for
// one which the peer has happens once in 2^42/256 connections that come back, about one in 17 billion.

// maxToken is the length of a whole token, that of [shortHash].
const maxToken = 16

// tokenWidth answers how long tokens may be for that many streams, from 1 to [MaxStreams].
func tokenWidth(streams int) int {
	return min(maxToken, (maxEventIDLength-1)/streams)
}

func tokenOf(stream, version string, width int) string {
	return shortHash([]byte(stream + "\x00" + version))[:width]
}

// widthDigit writes a width from 0 to 16.
func widthDigit(width int) byte { return "abcdefghijklmnopq"[width] }

// resumption is what a peer says it has, by its last event ID.
type resumption struct {
	width  int
	tokens string
}

// parseResumption answers nothing for an ID that is none of ours: the peer then gets every state.
func parseResumption(id string) resumption {
	if id == "" || len(id) > maxEventIDLength {
		return resumption{}
	}
	width := int(id[0]) - 'a'
	if width < tokenWidth(MaxStreams) || width > maxToken || (len(id)-1)%width != 0 {
		return resumption{}
	}

	return resumption{width: width, tokens: id[1:]}
}

// has says whether the peer has that version of the stream.
func (r resumption) has(stream, version string) bool {
	if r.width == 0 {
		return false
	}
	want := tokenOf(stream, version, r.width)
	for rest := r.tokens; rest != ""; rest = rest[r.width:] {
		if strings.HasPrefix(rest, want) {
			return true
		}
	}

	return false
}
