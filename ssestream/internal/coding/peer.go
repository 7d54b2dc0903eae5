package coding

// Peer is how a connection is encoded. Its zero value encodes nothing. What is encoded must be sent, in that order. The
// first of it must be an [Peer.Other].
type Peer struct {
	Coding Coding

	sent int // how many bytes the peer has after what was encoded, decoded
}

// Last is the text of one stream that the peer was sent last. Its zero value stands for none, or for one that is too large to be a
// dictionary. It holds the bytes, but not the [Text] with its encodings.
type Last struct {
	bytes  []byte
	number uint64 // of the text
	end    int    // Peer.sent after it
}

// Other appends what is sent for p, which is shared with nobody.
func (e *Peer) Other(dst, p []byte) []byte {
	if e.sent == 0 {
		dst = e.Coding.appendHead(dst)
	}
	e.sent += len(p)

	return e.Coding.appendStored(dst, p)
}

// Text returns what is sent for t, the text after last of the same stream. It is shared and must not be changed.
func (e *Peer) Text(t *Text, last *Last) []byte {
	switch {
	case e.Coding == Identity:
		return t.bytes
	case t.stored:
		return e.Other(nil, t.bytes)
	}
	encoded := t.encoded(e.Coding, *last, e.sent-last.end)
	size := len(e.Coding.lead()) + len(t.bytes)
	e.sent += size
	*last = Last{}
	if size <= e.Coding.Window() {
		*last = Last{bytes: t.bytes, number: t.number, end: e.sent}
	}

	return encoded
}

// AppendText appends what Text would return.
func (e *Peer) AppendText(dst []byte, t *Text, last *Last) []byte {
	if t.stored {
		return e.Other(dst, t.bytes)
	}

	return append(dst, e.Text(t, last)...)
}
