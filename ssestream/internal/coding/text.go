package coding

import (
	"sync"
	"sync/atomic"
)

// mask is a byte that is in no text, for it is in no UTF-8.
const mask = 0xff

// maxBlocks is how many encodings with a dictionary a text has. Who would need another gets the one without.
const maxBlocks = 8

// Text is a part of a stream that many peers are sent.
type Text struct {
	bytes  []byte
	stored bool   // it is never compressed
	number uint64 // tells it from all others

	mu     sync.Mutex
	blocks []*block
}

// block is what a text is encoded to, for all who have the same dictionary.
type block struct {
	key   key
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

// Bytes returns the text itself, which is empty if there is none.
func (t *Text) Bytes() []byte {
	if t == nil {
		return nil
	}

	return t.bytes
}

// encoded returns the text as it is sent to who has been sent the last one so many bytes ago, which is nil for none.
func (t *Text) encoded(c Coding, last *Text, gap int) []byte {
	k := key{coding: c}
	gap += len(c.lead())
	if last != nil && max(len(last.bytes), len(t.bytes))+gap <= c.Window() {
		k.last, k.gap = last.number, gap
	}
	b := t.block(k)
	if b == nil {
		k.last, k.gap = 0, 0
		b = t.block(k)
	}
	b.once.Do(func() {
		if k.last == 0 {
			last = nil
		}
		b.bytes = c.encode(t.bytes, dictionary(last, gap))
	})

	return b.bytes
}

// block returns the block of the key, or nil if it needs a dictionary and there are too many of its kind.
func (t *Text) block(k key) *block {
	t.mu.Lock()
	defer t.mu.Unlock()
	dictionaries := 0
	for _, b := range t.blocks {
		if b.key == k {
			return b
		}
		if b.key.last != 0 {
			dictionaries++
		}
	}
	if k.last != 0 && dictionaries >= maxBlocks {
		return nil
	}
	b := &block{key: k}
	t.blocks = append(t.blocks, b)

	return b
}

// dictionary returns what a peer has decoded since the last text, as far as blocks may refer to it.
func dictionary(last *Text, gap int) []byte {
	if last == nil {
		return nil
	}
	d := make([]byte, len(last.bytes)+gap)
	for i := copy(d, last.bytes); i < len(d); i++ {
		d[i] = mask
	}

	return d
}
