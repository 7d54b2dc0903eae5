//go:build linux

package load

// Newest makes a parser read the parts one after the other, and returns the number that it has found after each.
func Newest(parts ...[]byte) []int64 {
	var p parser
	found := make([]int64, 0, len(parts))
	for _, part := range parts {
		buffer := make([]byte, bufferSize)
		kept := p.keep(buffer)
		p.parse(buffer[:kept+copy(buffer[kept:], part)])
		found = append(found, p.newest)
	}

	return found
}
