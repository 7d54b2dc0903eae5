//go:build linux

package load

import "bytes"

// The number of a state follows the mark in its JSON, and always has that many digits.
const (
	mark   = `"n":`
	digits = 10
)

// parser finds the number of the newest state in the bytes that a client receives. A number may be split between two reads,
// but not between two chunks of the response; servers that write an event at once do not split it.
type parser struct {
	newest int64 // 0 before the first
	tail   [len(mark) + digits - 1]byte
	length int
}

// keep copies the end of the earlier reads, which may be the start of a number, to the start of the buffer. It returns
// its length.
func (p *parser) keep(buffer []byte) int { return copy(buffer, p.tail[:p.length]) }

// parse searches the kept bytes and those read after them.
func (p *parser) parse(received []byte) {
	for end := len(received); ; {
		at := bytes.LastIndex(received[:end], []byte(mark))
		if at < 0 {
			break
		}
		if n, ok := number(received[at+len(mark):]); ok {
			p.newest = max(p.newest, n)

			break
		}
		end = at
	}
	p.length = copy(p.tail[:], received[max(0, len(received)-len(p.tail)):])
}

func number(from []byte) (n int64, ok bool) {
	if len(from) < digits {
		return 0, false
	}
	for _, c := range from[:digits] {
		if c < '0' || c > '9' {
			return 0, false
		}
		n = n*10 + int64(c-'0')
	}

	return n, true
}
