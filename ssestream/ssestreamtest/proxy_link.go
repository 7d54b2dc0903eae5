package ssestreamtest

import (
	"context"
	"errors"
	"io"
	"net"
	"sync"
	"sync/atomic"
	"time"
)

const (
	// chunk is how many bytes a link holds in each direction.
	chunk = 16 << 10
	// socketBuffer bounds what the link's sockets hold of what a server sends, which would grow to megabytes.
	// With much less TCP on loopback, whose segments are as large as 64 KiB, comes to wait for its timers.
	socketBuffer = 64 << 10
	// portionsPerSecond is in how many portions the bytes of a second come through a slow link.
	portionsPerSecond = 20
)

var errOver = errors.New("connection was cut")

// link is a connection of a client to a [Proxy], and the one to the server that belongs to it.
type link struct {
	proxy    *Proxy
	client   *net.TCPConn
	over     chan struct{} // closed when it was cut or reset
	passed   atomic.Int64  // bytes from the server
	stranded atomic.Bool

	mu     sync.Mutex
	server *net.TCPConn // nil until there is one
	isOver bool
}

func newLink(p *Proxy, client *net.TCPConn) *link {
	_ = client.SetWriteBuffer(socketBuffer)

	return &link{proxy: p, client: client, over: make(chan struct{})}
}

// run moves bytes until both directions have ended.
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
		// What the client still sends after a cut must not turn the FIN into a RST.
		_, _ = io.Copy(io.Discard, l.client)
	})
	l.finish(l.client, move(server, l.toClient))
	up.Wait()
}

// join says whether the link is still wanted.
func (l *link) join(server *net.TCPConn) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.server = server

	return !l.isOver
}

// move hands what from sends to write, and answers what has ended that, io.EOF if it was from in order.
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
	if !l.clear() {
		return errOver
	}
	_, err := l.server.Write(b)

	return err
}

func (l *link) toClient(b []byte) error {
	for len(b) > 0 {
		n := l.meter(len(b))
		if n == 0 {
			return errOver
		}
		if _, err := l.client.Write(b[:n]); err != nil {
			return err
		}
		l.passed.Add(int64(n))
		l.cutIfDue(l.proxy.now())
		b = b[n:]
	}

	return nil
}

// finish passes on to one side how the other has ended.
func (l *link) finish(to *net.TCPConn, err error) {
	if !l.clear() {
		return
	}
	if errors.Is(err, io.EOF) {
		_ = to.CloseWrite()
	} else {
		l.reset()
	}
}

// clear waits while the proxy stalls, or for the end where the link is stranded, and says whether anything may be
// passed on then: not when the link is over.
func (l *link) clear() bool {
	for {
		changed := l.proxy.changes.next()
		if !l.proxy.now().Stall && !l.stranded.Load() {
			return !l.ended()
		}
		select {
		case <-changed:
		case <-l.over:
			return false
		}
	}
}

// meter waits until bytes from the server may be passed on, and answers how many of n, 0 when the link is over.
func (l *link) meter(n int) int {
	for l.clear() {
		changed := l.proxy.changes.next()
		faults := l.proxy.now()
		switch {
		case faults.Stall || l.cutIfDue(faults):
			continue
		case faults.CutAfter > 0:
			n = int(min(int64(n), faults.CutAfter-l.passed.Load()))
		}
		if faults.BytesPerSecond <= 0 {
			return n
		}
		n = min(n, max(1, faults.BytesPerSecond/portionsPerSecond))
		timer := time.NewTimer(time.Duration(n) * time.Second / time.Duration(faults.BytesPerSecond))
		select {
		case <-timer.C:
			return n
		case <-changed:
		case <-l.over:
		}
		timer.Stop()
	}

	return 0
}

// cutIfDue cuts the link when it has had what CutAfter allows, and says so.
func (l *link) cutIfDue(faults Faults) bool {
	due := faults.CutAfter > 0 && l.passed.Load() >= faults.CutAfter
	if due {
		l.cut()
	}

	return due
}

func (l *link) ended() bool {
	select {
	case <-l.over:
		return true
	default:
		return false
	}
}

// cut ends the link with a FIN. The client is read on until it has closed its side.
func (l *link) cut() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.isOver {
		return
	}
	l.isOver = true
	close(l.over)
	_ = l.client.CloseWrite()
	if l.server != nil {
		_ = l.server.Close()
	}
}

// reset ends the link with a RST to both sides, also after a cut.
func (l *link) reset() {
	l.mu.Lock()
	defer l.mu.Unlock()
	_ = l.client.SetLinger(0)
	if l.server != nil {
		_ = l.server.SetLinger(0)
	}
	if !l.isOver {
		l.isOver = true
		close(l.over) // after which run may be the first to close
	}
	_ = l.client.Close()
	if l.server != nil {
		_ = l.server.Close()
	}
}
