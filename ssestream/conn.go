package ssestream

import (
	"context"
	"errors"
	"math"
	"net"
	"net/http"
	"os"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
)

// conn is a connection that was taken over from net/http, and its client.
//
// The request's goroutine writes the beginning of the response and then stays, parked in a read, until the peer
// goes or the stream is ended; so everything around the handler sees the request end when it really does. All else
// is written by the shard, without blocking. When the socket is full the rest is left to a goroutine of the
// connection's own, which goes on until the peer has all that is due and then gives the connection back. A frame is
// one write, and writes never overlap: the shard keeps its hands off while slow is set.
type conn struct {
	client *client
	router *Router
	shard  *shard
	net    net.Conn
	raw    syscall.RawConn // nil where writes to net have to go through its own methods

	queued atomic.Bool // it is in the shard's queue
	slow   atomic.Bool // its own goroutine writes
	beat   atomic.Bool // the heartbeat's timer has fired
	once   sync.Once   // ends it

	place int       // in shard.conns
	last  time.Time // of the last write
	timer *time.Timer
}

// serveTakenOver serves the client on a connection that was taken over, until its stream ends.
func (r *Router) serveTakenOver(taken net.Conn, w http.ResponseWriter, req *http.Request, c *client, expires time.Time, preface []byte) {
	cn := newConn(taken, c, r)
	defer cn.end(nil)
	streamHeader(w.Header())
	if err := cn.open(appendResponseHead(nil, req, w.Header()), preface); err != nil {
		cn.end(err)

		return
	}
	stop := context.AfterFunc(req.Context(), func() { cn.end(nil) })
	defer stop()
	if !expires.IsZero() {
		timer := time.AfterFunc(time.Until(expires), func() { cn.end(nil) })
		defer timer.Stop()
	}
	if !cn.shard.add(cn) {
		cn.farewell()

		return
	}
	defer cn.shard.remove(cn)
	c.conn.Store(cn)
	cn.shard.push(cn) // for what came before it could be told
	cn.untilPeerGoes()
}

func newConn(taken net.Conn, c *client, r *Router) *conn {
	cn := &conn{client: c, router: r, shard: r.shards.pick(), net: taken}
	// Only a plain TCP connection: one that wraps it may count or shape what is written.
	if tcp, ok := taken.(*net.TCPConn); ok {
		if raw, err := tcp.SyscallConn(); err == nil {
			cn.raw = raw
		}
	}
	if r.config.Heartbeat != Off {
		cn.timer = time.AfterFunc(math.MaxInt64, func() { // not before it is reset
			cn.beat.Store(true)
			cn.shard.push(cn)
		})
	}

	return cn
}

// open writes the head of the response, the preface, and the first frame if there is one, in one write.
func (cn *conn) open(head, preface []byte) error {
	d, _ := cn.client.next(nil) // Where the stream is over already the shard finds the same, and ends it.
	if err := cn.writeBlocking(append(append(head, preface...), d.frame...)); err != nil {
		return err
	}
	cn.delivered(d)
	cn.last = time.Now()
	if cn.timer != nil {
		cn.timer.Reset(cn.router.config.Heartbeat)
	}

	return nil
}

// writeBlocking writes all of p, in time.
func (cn *conn) writeBlocking(p []byte) error {
	if err := cn.net.SetWriteDeadline(cn.router.writeBy()); err != nil {
		return err
	}
	if _, err := cn.net.Write(p); err != nil {
		if errors.Is(err, os.ErrDeadlineExceeded) {
			err = errors.Join(errTooSlow, err)
		}

		return err
	}

	return cn.net.SetWriteDeadline(time.Time{})
}

// untilPeerGoes returns when the connection is closed, by either side. What the peer sends is nobody's.
func (cn *conn) untilPeerGoes() {
	buf := make([]byte, 1)
	for {
		if _, err := cn.net.Read(buf); err != nil {
			return
		}
		if len(buf) == 1 {
			buf = make([]byte, 512) // It is a talkative one.
		}
	}
}

// end closes the connection, which wakes the request's goroutine. The error that made an end of it says whether the
// peer was too slow.
func (cn *conn) end(err error) {
	cn.once.Do(func() {
		if cn.timer != nil {
			cn.timer.Stop()
		}
		if errors.Is(err, errTooSlow) {
			cn.router.stats.dropped.Add(1)
		}
		_ = cn.net.Close() // There is nobody to tell.
	})
}

func (cn *conn) delivered(d due) { cn.router.delivered(cn.client, d) }

// farewell ends the stream of a router that closes.
func (cn *conn) farewell() {
	cn.end(cn.writeBlocking(cn.router.farewell()))
}
