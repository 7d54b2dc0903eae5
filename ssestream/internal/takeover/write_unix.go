//go:build unix

package takeover

import (
	"errors"
	"syscall"
)

// canWriteRaw reports whether this system has writes that do not block.
const canWriteRaw = true

// rawWriter writes to sockets without blocking. It is for one goroutine, and allocates nothing a write.
type rawWriter struct {
	p     []byte
	n     int
	err   error
	write func(fd uintptr) bool
}

func newRawWriter() *rawWriter {
	w := &rawWriter{}
	w.write = func(fd uintptr) bool {
		for {
			w.n, w.err = syscall.Write(int(fd), w.p)
			if !errors.Is(w.err, syscall.EINTR) {
				return true // Never wait here for the socket to take more.
			}
		}
	}

	return w
}

// tryWrite makes one write of p and returns how much of it the socket took, which may be nothing.
func (w *rawWriter) tryWrite(raw syscall.RawConn, p []byte) (int, error) {
	w.p, w.n, w.err = p, 0, nil
	err := raw.Write(w.write)
	w.p = nil
	switch {
	case err != nil:
		return 0, err
	case errors.Is(w.err, syscall.EAGAIN):
		return 0, nil
	default:
		return max(w.n, 0), w.err
	}
}
