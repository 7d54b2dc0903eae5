// Package coding compresses what streams carry, once for all clients that can decode the same bytes.
//
// What a peer has decoded last is the dictionary of what it is sent next. For a [Text], such as a state, that is the text
// before it of the same stream: all peers that have it, the same number of bytes ago, are sent the same [block]. What came
// between, such as heartbeats and texts of other streams, counts only by its length. The dictionary has [mask] in its place,
// a byte that no text contains. So no block refers to it, and it does not have to be the same for all.
//
// A peer costs the memory of a [Peer] and of a [Last] for each stream, and no compressor.
package coding

import (
	"encoding/binary"
	"math"
)

// Coding is a content coding (RFC 9110, section 8.4.1).
type Coding uint8

// The codings of streams.
const (
	Identity Coding = iota
	Gzip
)

// String returns the coding as Content-Encoding has it.
func (c Coding) String() string {
	switch c {
	case Gzip:
		return "gzip"
	default:
		return "identity"
	}
}

// window is how many bytes back a block may refer to.
func (c Coding) window() int {
	return 32 << 10
}

// appendHead appends what a stream begins with.
func (c Coding) appendHead(dst []byte) []byte {
	switch c {
	case Gzip:
		return append(dst, 0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 0xff) // no name, no time, unknown system (RFC 1952)
	default:
		return dst
	}
}

// appendStored appends p as it is, in blocks that need no dictionary.
func (c Coding) appendStored(dst, p []byte) []byte {
	if c == Identity {
		return append(dst, p...)
	}
	for len(p) > 0 {
		part := p[:min(len(p), math.MaxUint16)]
		p = p[len(part):]
		size := uint16(len(part)) //nolint:gosec // G115: it is bounded
		dst = append(dst, 0)      // a stored block, not the last (RFC 1951, section 3.2.4)
		dst = binary.LittleEndian.AppendUint16(dst, size)
		dst = binary.LittleEndian.AppendUint16(dst, ^size)
		dst = append(dst, part...)
	}

	return append(dst, 0, 0, 0, 0xff, 0xff) // An empty one, for Go's reader keeps what came before until then.
}
