package response

import (
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"time"
)

// ErrTooSlow says that the peer did not take in time what was written to it.
var ErrTooSlow = errors.New("peer is too slow")

// Peer is who a stream is written to: a connection or a response. One that has a Flush method is flushed.
type Peer interface {
	io.Writer
	SetWriteDeadline(t time.Time) error
}

// Write writes the parts and has them sent by the given time. Plain TCP connections need one system call for it.
// Between writes there is no deadline, for on HTTP/2 one that passes resets the stream.
func Write(peer Peer, by time.Time, parts ...[]byte) error {
	if err := peer.SetWriteDeadline(by); err != nil {
		return fmt.Errorf("set write deadline of stream: %w", err)
	}
	if err := send(peer, parts); err != nil {
		if !time.Now().Before(by) { // Every protocol has its own error for it.
			err = errors.Join(ErrTooSlow, err)
		}

		return fmt.Errorf("write to stream: %w", err)
	}
	if err := peer.SetWriteDeadline(time.Time{}); err != nil {
		return fmt.Errorf("set write deadline of stream: %w", err)
	}

	return nil
}

func send(peer Peer, parts [][]byte) (err error) {
	if len(parts) == 1 {
		_, err = peer.Write(parts[0])
	} else {
		_, err = (*net.Buffers)(&parts).WriteTo(peer)
	}
	if flusher, ok := peer.(interface{ Flush() error }); ok && err == nil {
		err = flusher.Flush()
	}

	return err
}

// maxJoined is how large a first frame may be to be copied behind the preface, so that it takes one write
// everywhere. A larger one is not copied, for a peer that does not read would hold the copy.
const maxJoined = 4 << 10

// Join returns the preface and the frame in as few parts as is cheap.
func Join(preface, frame []byte) [][]byte {
	switch {
	case len(preface) == 0:
		return [][]byte{frame}
	case len(frame) <= maxJoined:
		return [][]byte{append(preface, frame...)}
	default:
		return [][]byte{preface, frame}
	}
}

// httpPeer is the peer of an http.ResponseWriter. Where that has no deadlines it has none.
type httpPeer struct {
	http.ResponseWriter
	control *http.ResponseController
}

// Flush sends what was written.
func (p httpPeer) Flush() error { return p.control.Flush() }

// SetWriteDeadline implements [Peer].
func (p httpPeer) SetWriteDeadline(t time.Time) error {
	if err := p.control.SetWriteDeadline(t); !errors.Is(err, http.ErrNotSupported) {
		return err
	}

	return nil
}
