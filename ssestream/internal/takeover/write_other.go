//go:build !unix

package takeover

import (
	"errors"
	"syscall"
)

// canWriteRaw reports whether this system has writes that do not block. Without them connections stay with net/http.
const canWriteRaw = false

type rawWriter struct{}

func newRawWriter() *rawWriter { return &rawWriter{} }

func (*rawWriter) tryWrite(syscall.RawConn, []byte) (int, error) { return 0, errors.ErrUnsupported }
