package coding

import (
	"sync"
	"sync/atomic"
)

// mask is a byte that is in no text, for it is in no UTF-8.
const mask = 0xff

// A text has at most minBlocks encodings with a dictionary, or one for peersPerBlock peers if that is more. To compress a text takes about
// as long as to send it to so many peers uncompressed. A peer that would need another is sent the encoding without a dictionary.
const (
	minBlocks     = 8
	peersPerBlock = 13
)

// Text is a part of a stream that many peers are sent.
type Text struct {
	bytes  []byte
	stored bool   // it is never compressed
	number uint64 // tells it from all others
	peers  int    // how many are expected

	mu           sync.Mutex
	blocks       map[key]*block
	dictionaries int // how many blocks have one
}

// block is one encoding of a text. Peers with the same dictionary share it.
type block struct {
	once  sync.Once
	bytes []byte
}

// key says which dictionary a block needs. It does not hold the text, which would hold the one before it.
type key struct {
	coding Coding
	last   uint64 // the number of the text that the peer has, 0 for a block without dictionary
	gap    int    // how many bytes the peer was sent after it
}

var numbers atomic.Uint64 //nolint:gochecknoglobals // texts of all routers have different ones

// NewText returns a text of valid UTF-8. One that is stored is not compressed, and is no dictionary for others.
func NewText(utf8 []byte, stored bool) *Text {
	return &Text{bytes: utf8, stored: stored, number: numbers.Add(1)}
}

// Expect says how many peers will be sent t. It must be called before t is sent, and may be called on nil.
func (t *Text) Expect(peers int) {
	if t != nil {
		t.peers = peers
	}
}

// Bytes returns the text itself, which is empty if there is none.
func (t *Text) Bytes() []byte {
	if t == nil {
		return nil
	}

	return t.bytes
}

// encoded returns t compressed for peers that received last, and then gap other bytes. last may be the zero value.
func (t *Text) encoded(c Coding, last Last, gap int) []byte {
	k := key{coding: c}
	gap += len(c.lead())
	if last.number != 0 && max(len(last.bytes), len(t.bytes))+gap <= c.Window() {
		k.last, k.gap = last.number, gap
	}
	b := t.block(k)
	if b == nil {
		k.last, k.gap = 0, 0
		b = t.block(k)
	}
	b.once.Do(func() {
		var d []byte
		if k.last != 0 {
			d = dictionary(last.bytes, gap)
		}
		b.bytes = c.encode(t.bytes, d)
	})

	return b.bytes
}

// block returns the block of the key. It returns nil if the block would need a dictionary and there are too many of those.
func (t *Text) block(k key) *block {
	t.mu.Lock()
	defer t.mu.Unlock()
	if b := t.blocks[k]; b != nil {
		return b
	}
	if k.last != 0 {
		if t.dictionaries >= max(minBlocks, t.peers/peersPerBlock) {
			return nil
		}
		t.dictionaries++
	}
	if t.blocks == nil {
		t.blocks = map[key]*block{}
	}
	b := &block{}
	t.blocks[k] = b

	return b
}

// dictionary returns the bytes of the last text, and [mask] in place of each byte that was sent after it.
func dictionary(last []byte, gap int) []byte {
	d := make([]byte, len(last)+gap)
	for i := copy(d, last); i < len(d); i++ {
		d[i] = mask
	}

	return d
}
