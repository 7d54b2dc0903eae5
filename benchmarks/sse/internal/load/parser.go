//go:build linux

package load

import "bytes"

// The number of a state is in its JSON, after this mark, and always has that many digits.
const (
	mark   = `"n":`
	digits = 10
)

// parser looks for the number of the newest state in what a client receives, and at nothing else. A number may be
// cut by the end of a read, but the server's chunks must not cut it, which those of events in one write do not.
type parser struct {
	newest int64 // 0 before the first
	tail   [len(mark) + digits - 1]byte
	length int
}

// keep puts what a number may begin in, from the reads so far, at the start of the buffer, and returns how much it is.
func (p *parser) keep(buffer []byte) int { return copy(buffer, p.tail[:p.length]) }

// parse looks through what was kept and what was read after it.
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
