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

	place  int         // in shard.conns, negative if it is not there
	last   time.Time   // of the last write
	timer  *time.Timer // of heartbeats, nil if there are none
	expiry *time.Timer // nil if the stream does not expire
	forget func() bool // no longer waits for the request's context
}

// begin begins the visit's stream on a connection that was taken over. It answers it in any case: where the peer is
// gone already or the router closes, the connection is closed, which serve finds.
func (r *Router) begin(taken net.Conn, w http.ResponseWriter, req *http.Request, v *visit) *conn {
	cn := newConn(taken, v.client, r)
	beginning := append(appendResponseHead(nil, req, w.Header()), r.preface(v)...)
	if err := cn.open(beginning); err != nil { //nolint:contextcheck // what is measured on the way is of no request
		cn.end(err)

		return cn
	}
	cn.forget = context.AfterFunc(req.Context(), func() { cn.end(nil) })
	if !v.expires.IsZero() {
		cn.expiry = time.AfterFunc(time.Until(v.expires), func() { cn.end(nil) })
	}
	if !cn.shard.add(cn) {
		cn.farewell()

		return cn
	}
	v.client.conn.Store(cn)
	cn.shard.push(cn) // for what came before it could be told

	return cn
}

// serve stays until the stream ends.
func (cn *conn) serve() {
	cn.untilPeerGoes()
	cn.end(nil)
	cn.shard.remove(cn)
	if cn.forget != nil {
		cn.forget()
	}
	if cn.expiry != nil {
		cn.expiry.Stop()
	}
}

func newConn(taken net.Conn, c *client, r *Router) *conn {
	cn := &conn{client: c, router: r, shard: r.shards.pick(), net: taken, place: -1}
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

// open writes the beginning of the response, and the first frame if there is one, in one write.
func (cn *conn) open(beginning []byte) error {
	d, _ := cn.client.next(nil) // Where the stream is over already the shard finds the same, and ends it.
	parts := [][]byte{beginning, d.frame}
	if len(d.frame) <= maxJoined {
		parts = [][]byte{append(beginning, d.frame...)}
	}
	if err := cn.writeBlocking(parts...); err != nil {
		return err
	}
	cn.delivered(d)
	cn.last = time.Now()
	if cn.timer != nil {
		cn.timer.Reset(cn.router.config.Heartbeat)
	}

	return nil
}

// writeBlocking writes all parts, in time, and by one write where the connection is plain TCP. They are not copied, for a
// peer that does not read holds them for as long.
func (cn *conn) writeBlocking(parts ...[]byte) error {
	if err := cn.net.SetWriteDeadline(cn.router.writeBy()); err != nil {
		return err
	}
	buffers := net.Buffers(parts)
	if _, err := buffers.WriteTo(cn.net); err != nil {
		if errors.Is(err, os.ErrDeadlineExceeded) {
			err = errors.Join(errTooSlow, err)
		}

		return err
	}

	return cn.net.SetWriteDeadline(time.Time{})
}

// maxTalk bounds what a peer may send after its request, in bytes.
const maxTalk = 64 << 10

// untilPeerGoes returns when the connection is closed, by either side. What the peer sends is nobody's, and a peer that
// does not stop is sent away.
func (cn *conn) untilPeerGoes() {
	buf := make([]byte, 1)
	for heard := 0; heard < maxTalk; {
		n, err := cn.net.Read(buf)
		if err != nil {
			return
		}
		heard += n
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
