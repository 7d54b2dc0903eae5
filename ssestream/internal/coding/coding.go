// Package coding compresses what streams carry, once for all clients that can decode the same bytes.
//
// A [Text], such as a state, is compressed with a dictionary: the text before it of the same stream, which the peer has decoded.
// The peer may have been sent other bytes after that text, such as heartbeats and texts of other streams. In place of each of
// them the dictionary has [mask], a byte that no text contains. So no block refers to these bytes, and only their number matters.
// All peers with the same text before, and the same number of bytes after it, are sent the same [block].
//
// A peer costs the memory of a [Peer], and of a [Last] for each stream. It has no compressor.
package coding

import (
	"encoding/binary"
	"math"
	"slices"
)

// Coding is a content coding (RFC 9110, section 8.4.1).
type Coding uint8

// The codings of streams.
const (
	Identity Coding = iota
	Gzip
	Zstd
)

// String returns the coding as Content-Encoding has it.
func (c Coding) String() string {
	switch c {
	case Gzip:
		return "gzip"
	case Zstd:
		return "zstd"
	default:
		return "identity"
	}
}

// Window is how many bytes back a block may refer to.
func (c Coding) Window() int {
	switch c {
	case Gzip:
		return 32 << 10
	case Zstd:
		return zstdWindow
	default:
		return 0
	}
}

// lead is what each text decodes to first.
func (c Coding) lead() string {
	if c == Zstd {
		return resetText
	}

	return ""
}

// encode returns the text compressed for a peer that has decoded the dictionary, whose end stands for the lead. The peer decodes
// it to the lead and the text.
func (c Coding) encode(text, dictionary []byte) []byte {
	if c == Zstd {
		return appendZstd(nil, text, dictionary)
	}

	return deflate(text, dictionary)
}

// appendHead appends what a stream begins with.
func (c Coding) appendHead(dst []byte) []byte {
	switch c {
	case Gzip:
		return append(dst, 0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 0xff) // no name, no time, unknown system (RFC 1952)
	case Zstd:
		return append(dst, zstdHead...)
	default:
		return dst
	}
}

// appendStored appends p as it is, in blocks that need no dictionary.
func (c Coding) appendStored(dst, p []byte) []byte {
	switch c {
	case Gzip:
		for part := range slices.Chunk(p, math.MaxUint16) {
			dst = appendStored(dst, part)
		}

		return appendStored(dst, nil) // Go's reader keeps what came before until there is an empty one.
	case Zstd:
		for part := range slices.Chunk(p, maxRaw) { // raw blocks, not the last (RFC 8878, section 3.1.1.2)
			dst = append(dst, byte(len(part)<<3), byte(len(part)>>5), byte(len(part)>>13)) //nolint:gosec // G115: low bytes
			dst = append(dst, part...)
		}

		return dst
	default:
		return append(dst, p...)
	}
}

// appendStored appends a block of gzip that is not the last (RFC 1951, section 3.2.4).
func appendStored(dst, p []byte) []byte {
	size := uint16(len(p)) //nolint:gosec // G115: it is bounded
	dst = append(dst, 0)
	dst = binary.LittleEndian.AppendUint16(dst, size)
	dst = binary.LittleEndian.AppendUint16(dst, ^size)

	return append(dst, p...)
}
