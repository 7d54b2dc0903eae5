package coding

import (
	"bytes"
	"errors"
	"fmt"
	"sync"

	"github.com/klauspost/compress/zstd"
)

// zstdWindow is how many bytes back a block of zstd may refer to. Every decoder has room for that.
const zstdWindow = 1 << 20

// zstdHead is the header of a frame without an end: magic number, no flags, the window (RFC 8878, section 3.1.1.1).
const zstdHead = "\x28\xb5\x2f\xfd\x00\x50"

// zstdReset are two blocks that set the repeated offsets of a decoder to 1, 4 and 8, as they are at the begin of a frame. A block
// of the compressor relies on that, whatever the peer was sent before. They decode to [resetText].
//
// Each has literals of one byte and sequences without tables. The first is eight literals and a match of three bytes at
// offset 8. The second has two matches of three bytes, at offsets 4 and 1, and a literal.
const zstdReset = "\x44\x00\x00" + "\x41:" + "\x01\x54" + "\x08\x03\x00" + "\x0b" +
	"\x44\x00\x00" + "\x09\n" + "\x02\x54" + "\x00\x02\x00" + "\x1c"

// resetText is a comment of an event stream.
const resetText = ":::::::::::::::::\n"

// maxRaw is how much a block of zstd may have.
const maxRaw = 128 << 10

var zstdEncoders = sync.Pool{New: func() any { //nolint:gochecknoglobals // one is some MB and is for no router
	e, err := zstd.NewWriter(nil, zstd.WithEncoderConcurrency(1), zstd.WithEncoderCRC(false), zstd.WithSingleSegment(false),
		zstd.WithWindowSize(zstdWindow), zstd.WithLowerEncoderMem(true), zstd.WithEncoderDictRaw(0, noDictionary()))
	if err != nil {
		panic(err) // The options are valid.
	}

	return e
}}

// noDictionary is a dictionary that no text refers to.
func noDictionary() []byte { return bytes.Repeat([]byte{mask}, len(resetText)) }

// appendZstd appends the text compressed for a peer that has decoded the dictionary, whose end stands for resetText. The peer
// decodes it to resetText and the text.
func appendZstd(dst, text, dictionary []byte) []byte {
	if len(dictionary) == 0 {
		dictionary = noDictionary()
	}
	e, _ := zstdEncoders.Get().(*zstd.Encoder)
	defer zstdEncoders.Put(e)
	var frame bytes.Buffer
	err := e.ResetWithOptions(&frame, zstd.WithEncoderDictRaw(0, dictionary))
	if err == nil {
		_, err = e.Write(text) // EncodeAll would use a channel, which belongs to one bubble of testing/synctest.
	}
	if err = errors.Join(err, e.Close()); err != nil {
		panic(fmt.Errorf("compress %d bytes with a dictionary of %d: %w", len(text), len(dictionary), err)) // A buffer does not fail.
	}

	return appendBlocks(append(dst, zstdReset...), frame.Bytes())
}

// appendBlocks appends the blocks of a frame without its header and without an end.
func appendBlocks(dst, frame []byte) []byte {
	const magic, descriptor = 4, 1
	flags := frame[magic]
	blocks := frame[magic+descriptor:]
	if flags&0x20 == 0 { // a window
		blocks = blocks[1:]
	}
	blocks = blocks[[]int{0, 1, 2, 4}[flags&3]:] // the dictionary's ID
	if size := []int{0, 2, 4, 8}[flags>>6]; size > 0 {
		blocks = blocks[size:]
	} else if flags&0x20 != 0 {
		blocks = blocks[1:]
	}
	for len(blocks) > 0 {
		header := int(blocks[0]) | int(blocks[1])<<8 | int(blocks[2])<<16
		size := header >> 3
		if header>>1&3 == 1 { // one byte, repeated
			size = 1
		}
		dst = append(dst, blocks[0]&^1) // not the last
		dst = append(dst, blocks[1:3+size]...)
		blocks = blocks[3+size:]
	}

	return dst
}
