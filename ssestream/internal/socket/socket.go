// Package socket sets two TCP options on the connections of streams: when the kernel gives up a peer that takes
// nothing any more, and how many unsent bytes it keeps.
package socket

import (
	"context"
	"net"
	"sync"
	"syscall"
	"time"
)

// Unsent is how many bytes that cannot be sent yet the kernel keeps for a connection before it takes no more. What it
// keeps is old when it is sent, and costs memory for a peer that does not read.
const Unsent = 16 << 10

// Tune has the kernel break the connection off when its peer has taken nothing of what was sent for the given time, be it
// that it acknowledged nothing or that it had no room, and bound what is not sent yet. It looks for the TCP connection
// inside of one of TLS. Where there is none, or the system has no such option, it leaves things as they are.
func Tune(conn net.Conn, dead time.Duration) { swap(conn, tuned(dead)) }

// options are those of a socket, as the kernel counts them.
type options struct{ dead, unsent int }

// swap sets the options and returns what they were.
func swap(conn net.Conn, o options) (before options) {
	if c, ok := innermost(conn).(syscall.Conn); ok {
		if raw, err := c.SyscallConn(); err == nil {
			_ = raw.Control(func(fd uintptr) { before = swapOf(int(fd), o) }) // The connection may be closed.
		}
	}

	return before
}

// innermost returns the connection inside of one of TLS.
func innermost(conn net.Conn) net.Conn {
	for {
		outer, ok := conn.(interface{ NetConn() net.Conn })
		if !ok {
			return conn
		}
		conn = outer.NetConn()
	}
}

// Conn is a connection of net/http's that streams come and go on. A nil one does nothing.
type Conn struct {
	net net.Conn

	mu      sync.Mutex
	streams int
	before  options // the first stream
}

type contextKey struct{}

// With returns a context that has the connection.
func With(ctx context.Context, conn net.Conn) context.Context {
	return context.WithValue(ctx, contextKey{}, &Conn{net: conn})
}

// Of returns the connection of a context, nil if it has none.
func Of(ctx context.Context) *Conn {
	c, _ := ctx.Value(contextKey{}).(*Conn)

	return c
}

// Begin tunes the connection while there are streams on it: whoever downloads something on it else may pause.
func (c *Conn) Begin(dead time.Duration) (end func()) {
	if c == nil {
		return func() {}
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.streams++; c.streams == 1 {
		c.before = swap(c.net, tuned(dead))
	}

	return c.end
}

func (c *Conn) end() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.streams--; c.streams == 0 {
		swap(c.net, c.before)
	}
}

// Close closes the connection at once, whatever is under way on it.
func (c *Conn) Close() { _ = innermost(c.net).Close() } // It may be closed.
