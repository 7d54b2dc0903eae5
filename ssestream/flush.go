package ssestream

import (
	"slices"
	"time"
)

// output is what a shard writes with.
type output struct {
	raw *rawWriter
	buf []byte    // for frames of several streams
	now time.Time // when the batch began

	spans batchSpans
}

// flush writes what is due for the connection, without blocking. It is the shard's.
func (cn *conn) flush(out *output) {
	cn.queued.Store(false) // Before looking: what comes later queues it again.
	if cn.slow.Load() {
		return // Its own goroutine looks, and queues it when it is done.
	}
	for {
		d, ok := cn.client.next(out.buf)
		switch {
		case !ok:
			cn.end(nil)

			return
		case d.frame == nil:
			if cn.beat.Swap(false) {
				cn.heartbeat(out)
			}

			return
		}
		if cn.client.several() {
			out.buf = d.frame // as it has grown
		}
		if !cn.write(out, d) {
			return
		}
	}
}

// heartbeat writes a comment if the stream has been silent, and has itself called again when it may be due.
func (cn *conn) heartbeat(out *output) {
	interval := cn.router.config.Heartbeat
	if silent := out.now.Sub(cn.last); silent < interval {
		cn.timer.Reset(interval - silent)

		return
	}
	if cn.write(out, due{frame: []byte(heartbeat), heartbeat: true}) {
		cn.timer.Reset(interval)
	}
}

// write writes a frame without blocking. It says no where the shard has no more to do with the connection: the
// socket is full, and the rest is left to the connection's own goroutine, or the peer is gone.
func (cn *conn) write(out *output, d due) bool {
	written := 0
	if cn.raw != nil {
		out.spans.write(d.state)
		var err error
		if written, err = out.raw.tryWrite(cn.raw, d.frame); err != nil {
			cn.end(err)

			return false
		}
		if written < len(d.frame) {
			cn.router.stats.slow.Add(1)
		}
	}
	if written < len(d.frame) {
		cn.slow.Store(true)
		rest := d.frame[written:]
		if cn.client.several() {
			rest = slices.Clone(rest) // The buffer is the shard's.
		}
		cn.router.tasks.Go(func() { cn.catchUp(d, rest) })

		return false
	}
	cn.last = out.now
	cn.delivered(d)

	return true
}

// catchUp writes the rest of a frame and then whatever is due, until the peer has it all, and gives the connection
// back to the shard. A heartbeat that fell due meanwhile is looked at there. When the router closes it ends the stream
// after the frame.
func (cn *conn) catchUp(d due, rest []byte) {
	var buf []byte
	begun := cn.raw != nil // by the shard, which has its span
	for {
		end := func(int) {}
		if !begun {
			end = cn.router.traces.startWrite(d.state)
		}
		begun = false
		err := cn.writeBlocking(rest)
		end(1)
		if err != nil {
			cn.end(err)

			return
		}
		cn.last = time.Now()
		cn.delivered(d)
		if d.heartbeat {
			cn.timer.Reset(cn.router.config.Heartbeat)
		}
		if cn.router.closed.Err() != nil {
			break
		}
		var ok bool
		if d, ok = cn.client.next(buf); !ok {
			cn.end(nil)

			return
		}
		if d.frame == nil {
			break
		}
		rest = d.frame
		if cn.client.several() {
			buf = d.frame
		}
	}
	if !cn.shard.giveBack(cn) {
		cn.farewell()
	}
}
