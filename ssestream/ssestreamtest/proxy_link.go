package ssestreamtest

import (
	"context"
	"errors"
	"io"
	"net"
	"sync"
	"sync/atomic"
)

const (
	// chunk is the size of a link's buffer in each direction.
	chunk = 16 << 10
	// socketBuffer bounds the buffers of the link's sockets, which would grow to megabytes. Loopback segments have
	// up to 64 KiB; with a much smaller buffer TCP waits for its timers.
	socketBuffer = 64 << 10
)

var errCut = errors.New("connection was cut")

// link is a client's connection to a [Proxy] and its connection to the server.
type link struct {
	proxy    *Proxy
	client   *net.TCPConn
	done     chan struct{} // closed when it was cut or reset
	passed   atomic.Int64  // bytes from the server
	stranded atomic.Bool

	mu     sync.Mutex
	server *net.TCPConn // nil until there is one
	isDone bool
}

func newLink(p *Proxy, client *net.TCPConn) *link {
	_ = client.SetWriteBuffer(socketBuffer)

	return &link{proxy: p, client: client, done: make(chan struct{})}
}

// run forwards bytes until both directions have ended.
func (l *link) run(ctx context.Context) {
	conn, err := (&net.Dialer{}).DialContext(ctx, "tcp", l.proxy.target.Host)
	server, ok := conn.(*net.TCPConn)
	if err != nil || !ok {
		l.reset()

		return
	}
	defer l.client.Close()
	defer server.Close()
	_ = server.SetReadBuffer(socketBuffer)
	if !l.join(server) {
		return
	}
	var up sync.WaitGroup
	up.Go(func() {
		l.finish(server, move(l.client, l.toServer))
		// Unread input of the client would turn the FIN of a cut into a RST.
		_, _ = io.Copy(io.Discard, l.client)
	})
	l.finish(l.client, move(server, l.toClient))
	up.Wait()
}

// join sets the connection to the server. It reports false if the link has ended meanwhile.
func (l *link) join(server *net.TCPConn) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.server = server

	return !l.isDone
}

// move copies from a connection to write. It returns the error that ended it, io.EOF at the regular end.
func move(from io.Reader, write func([]byte) error) error {
	buffer := make([]byte, chunk)
	for {
		n, err := from.Read(buffer)
		if n > 0 {
			if err := write(buffer[:n]); err != nil {
				return err
			}
		}
		if err != nil {
			return err
		}
	}
}

func (l *link) toServer(b []byte) error {
	if !l.awaitPassable() {
		return errCut
	}
	_, err := l.server.Write(b)

	return err
}

func (l *link) toClient(b []byte) error {
	for len(b) > 0 {
		if !l.awaitPassable() {
			return errCut
		}
		n, faults := len(b), l.proxy.currentFaults()
		if l.cutIfDue(faults) {
			return errCut
		}
		if faults.CutAfter > 0 {
			n = int(min(int64(n), faults.CutAfter-l.passed.Load()))
		}
		if _, err := l.client.Write(b[:n]); err != nil {
			return err
		}
		l.passed.Add(int64(n))
		l.cutIfDue(l.proxy.currentFaults())
		b = b[n:]
	}

	return nil
}

// finish forwards the end of one side to the other.
func (l *link) finish(to *net.TCPConn, err error) {
	if !l.awaitPassable() {
		return
	}
	if errors.Is(err, io.EOF) {
		_ = to.CloseWrite()
	} else {
		l.reset()
	}
}

// awaitPassable waits while the proxy stalls or the link is stranded. It reports false if the link has ended.
func (l *link) awaitPassable() bool {
	for {
		changed := l.proxy.changes.next()
		if !l.proxy.currentFaults().Stall && !l.stranded.Load() {
			return !l.ended()
		}
		select {
		case <-changed:
		case <-l.done:
			return false
		}
	}
}

// cutIfDue cuts the link if CutAfter bytes have passed, and reports whether it did.
func (l *link) cutIfDue(faults Faults) bool {
	due := faults.CutAfter > 0 && l.passed.Load() >= faults.CutAfter
	if due {
		l.cut()
	}

	return due
}

func (l *link) ended() bool {
	select {
	case <-l.done:
		return true
	default:
		return false
	}
}

// cut ends the link with a FIN. Run reads on from the client until it closes its side.
func (l *link) cut() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.isDone {
		return
	}
	l.isDone = true
	close(l.done)
	_ = l.client.CloseWrite()
	if l.server != nil {
		_ = l.server.Close()
	}
}

// reset ends the link with a RST to both sides. It may follow a cut.
func (l *link) reset() {
	l.mu.Lock()
	defer l.mu.Unlock()
	_ = l.client.SetLinger(0)
	if l.server != nil {
		_ = l.server.SetLinger(0)
	}
	if !l.isDone {
		l.isDone = true
		close(l.done) // from here on run may close the connections
	}
	_ = l.client.Close()
	if l.server != nil {
		_ = l.server.Close()
	}
}
