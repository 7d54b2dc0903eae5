package response

import (
	"errors"
	"fmt"
	"io"
	"math"
	"net/http"
	"slices"
	"time"

	"github.com/feedmill/feedmill/ssestream/internal/socket"
)

// ErrTooSlow says that the peer did not take in time what was written to it.
var ErrTooSlow = errors.New("peer is too slow")

// Peer is who a stream is written to: a connection, or a response that sends what is written to it at once.
type Peer interface {
	io.Writer
	SetWriteDeadline(t time.Time) error
}

// Stride is how much of a frame the peer has to take within a write timeout, in bytes. A peer that takes less
// has stalled. With it a state of 1 MiB takes at most 64 timeouts.
const Stride = 16 << 10

// Write writes the parts, each stride of them by the time that by returns when it begins. On a plain TCP connection
// what is no longer than a stride takes one system call. Between writes there is no deadline, for on HTTP/2 one that
// passes resets the stream.
func Write(peer Peer, by func() time.Time, parts ...[]byte) error {
	before := by()
	for _, part := range parts {
		for stride := range slices.Chunk(part, Stride) {
			deadline := by()
			if err := write(peer, deadline, before, stride); err != nil {
				return err
			}
			before = deadline
		}
	}
	if err := peer.SetWriteDeadline(time.Time{}); err != nil {
		return fmt.Errorf("set write deadline of stream: %w", err)
	}

	return nil
}

// write writes p by the given time. On HTTP/2 the deadline before it may still pass, for it is replaced only a little
// later; the request has ended then, and by is [past].
func write(peer Peer, by, before time.Time, p []byte) error {
	if err := peer.SetWriteDeadline(by); err != nil {
		return fmt.Errorf("set write deadline of stream: %w", err)
	}
	if _, err := peer.Write(p); err != nil {
		if !before.Equal(past) && !time.Now().Before(before) { // Every protocol has its own error for it.
			err = errors.Join(ErrTooSlow, err)
		}

		return fmt.Errorf("write to stream: %w", err)
	}

	return nil
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

// httpPeer is the peer of an http.ResponseWriter. Where that has no deadlines, the connection is closed instead if it is
// known; else there are none.
type httpPeer struct {
	http.ResponseWriter

	control *http.ResponseController
	closing *time.Timer // closes the connection, nil if the writer has deadlines
}

func newHTTPPeer(w http.ResponseWriter, conn *socket.Conn) httpPeer {
	p := httpPeer{ResponseWriter: w, control: http.NewResponseController(w)}
	if conn != nil && !HasDeadlines(w) {
		p.closing = time.AfterFunc(math.MaxInt64, conn.Close) // not before it is reset
	}

	return p
}

// release lets the connection go on to other requests.
func (p httpPeer) release() {
	if p.closing != nil {
		p.closing.Stop()
	}
}

// Write implements [Peer].
func (p httpPeer) Write(b []byte) (int, error) {
	n, err := p.ResponseWriter.Write(b)
	if err != nil {
		return n, err
	}

	return n, p.control.Flush()
}

// leastClosing is how long a write may last at least before the connection is closed. One whose peer reads, or has ended the
// stream, is over before, and on HTTP/2 there are other streams on the connection.
const leastClosing = 200 * time.Millisecond

// SetWriteDeadline implements [Peer].
func (p httpPeer) SetWriteDeadline(t time.Time) error {
	switch {
	case p.closing == nil:
		if err := p.control.SetWriteDeadline(t); !errors.Is(err, http.ErrNotSupported) {
			return err
		}
	case t.IsZero():
		p.closing.Stop()
	default:
		p.closing.Reset(max(leastClosing, time.Until(t)))
	}

	return nil
}
