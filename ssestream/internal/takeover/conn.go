package takeover

import (
	"context"
	"errors"
	"math"
	"net"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/feedmill/feedmill/ssestream/internal/response"
	"github.com/feedmill/feedmill/ssestream/internal/socket"
)

// Conn is a connection that was taken over. The package's comment says who writes to it, and when.
type Conn struct {
	source response.Source
	shard  *shard
	net    net.Conn
	raw    syscall.RawConn // nil where writes have to go through the methods of net

	queued atomic.Bool // it is in the shard's queue
	slow   atomic.Bool // its own goroutine writes
	beat   atomic.Bool // the heartbeat's timer has fired
	once   sync.Once   // ends it

	rest   []byte      // of a frame that the shard is writing
	last   time.Time   // of the last write
	timer  *time.Timer // of heartbeats, nil if there are none
	forget func() bool // no longer waits for the request's context, nil if that ends with its handlers
	expiry *time.Timer // ends the stream, nil for one that does not expire
}

// Begin begins a stream on a connection that was taken over, for as long as the context of its request. It expires at the
// given time, unless that is zero. Where the stream is over already, the connection is closed, and Serve returns at once.
func (s *Shards) Begin(ctx context.Context, taken *Taken, expires time.Time, source response.Source, notices []byte) *Conn {
	c := newConn(taken.Conn, s.all[int(s.turn.Add(1))%len(s.all)], source) // evenly
	preface := source.Other(append(s.terms.Preface(), notices...))
	if err := c.open(append(taken.head(), preface...)); err != nil {
		c.end(err)

		return c
	}
	if taken.Ends {
		c.forget = context.AfterFunc(ctx, func() { c.end(nil) })
	}
	if !expires.IsZero() {
		c.expiry = time.AfterFunc(time.Until(expires), func() { c.end(nil) })
	}
	if !c.shard.add(c) {
		c.farewell()
	}

	return c
}

// Serve returns when the stream ends.
func (c *Conn) Serve() {
	c.awaitPeer()
	c.end(nil)
	c.shard.remove(c)
	if c.forget != nil {
		c.forget()
	}
	if c.expiry != nil {
		c.expiry.Stop()
	}
}

// Wake has the shard ask the source what is due. It does not block.
func (c *Conn) Wake() { c.shard.push(c) }

func newConn(taken net.Conn, s *shard, source response.Source) *Conn {
	socket.Tune(taken, s.terms.Dead)
	c := &Conn{source: source, shard: s, net: taken}
	// Only a plain TCP connection: one that wraps it may count or shape what is written.
	if tcp, ok := taken.(*net.TCPConn); ok {
		if raw, err := tcp.SyscallConn(); err == nil {
			c.raw = raw
		}
	}
	if s.terms.Heartbeat > 0 {
		c.timer = time.AfterFunc(math.MaxInt64, func() { // not before it is reset
			c.beat.Store(true)
			c.Wake()
		})
	}

	return c
}

// open writes the head of the response, with the first frame if one is due.
func (c *Conn) open(head []byte) error {
	var buf []byte
	frame, _ := c.source.Next(&buf) // Where the stream is over, the shard finds the same and ends it.
	if err := c.writeBlocking(response.Join(head, frame)...); err != nil {
		return err
	}
	if frame != nil {
		c.source.Written()
	}
	c.last = time.Now()
	if c.timer != nil {
		c.timer.Reset(c.shard.terms.Heartbeat)
	}

	return nil
}

func (c *Conn) writeBlocking(parts ...[]byte) error {
	return response.Write(c.net, c.shard.terms.WriteBy, parts...)
}

// maxInput bounds what a peer may send after its request, in bytes.
const maxInput = 64 << 10

// awaitPeer returns when either side has closed the connection. Input is discarded, up to maxInput.
func (c *Conn) awaitPeer() {
	buf := make([]byte, 1)
	for read := 0; read < maxInput; {
		n, err := c.net.Read(buf)
		if err != nil {
			return
		}
		read += n
		if len(buf) == 1 {
			buf = make([]byte, 512) // Few peers send anything.
		}
	}
}

// end closes the connection, because of err or for good reason.
func (c *Conn) end(err error) {
	c.once.Do(func() {
		if c.timer != nil {
			c.timer.Stop()
		}
		if errors.Is(err, response.ErrTooSlow) {
			c.shard.terms.Counters.Dropped.Add(1)
		}
		_ = c.net.Close() // The stream is over either way.
	})
}

// farewell ends the stream of a router that closes.
func (c *Conn) farewell() {
	c.end(c.writeBlocking(c.source.Other(c.shard.terms.Farewell())))
}
