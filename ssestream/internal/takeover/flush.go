package takeover

import "time"

// output is what a shard writes with.
type output struct {
	raw *rawWriter
	buf []byte    // for frames that belong to one connection
	now time.Time // when the batch began
}

// flush writes what is due for the connection, without blocking. Only the shard calls it.
func (c *Conn) flush(out *output) {
	c.queued.Store(false) // Before Next: what comes later queues the connection again.
	if c.slow.Load() {
		return // Its own goroutine asks the source, and queues it when it is done.
	}
	if rest := c.rest; rest != nil {
		c.rest = nil
		if !c.write(out, rest, false) {
			return
		}
	}
	for {
		frame, more := c.source.Next(&out.buf)
		switch {
		case !more:
			c.end(nil)

			return
		case frame == nil:
			if c.beat.Swap(false) {
				c.heartbeat(out)
			}

			return
		case !c.write(out, frame, false):
			return
		}
	}
}

// heartbeat writes a heartbeat if the stream has been silent, and sets the timer for the next one.
func (c *Conn) heartbeat(out *output) {
	interval := c.shard.terms.Heartbeat
	if silent := out.now.Sub(c.last); silent < interval {
		c.timer.Reset(interval - silent)

		return
	}
	c.write(out, c.source.Heartbeat(), true)
}

// turn is how much the shard writes to a connection before it is the others' turn, in bytes.
const turn = 64 << 10

// write writes a frame, which may be a heartbeat, without blocking. It reports whether the shard can write more: the
// frame may be too long for a turn, which leaves the rest to the next, or the socket full, which leaves it to a goroutine
// of the connection's own, or the peer gone.
func (c *Conn) write(out *output, frame []byte, heartbeat bool) bool {
	now, n := frame[:min(len(frame), turn)], 0
	if c.raw != nil {
		var err error
		if n, err = out.raw.tryWrite(c.raw, now); err != nil {
			c.end(err)

			return false
		}
	}
	rest := frame[n:]
	if len(rest) == 0 {
		c.written(out.now, heartbeat)

		return true
	}
	out.buf = nil // The rest may be in it.
	switch {
	case n == len(now):
		c.rest = rest
		c.Wake()
	default:
		if c.raw != nil {
			c.shard.terms.Counters.Slow.Add(1)
		}
		c.slow.Store(true)
		c.shard.terms.Go(func() { c.catchUp(rest, heartbeat) })
	}

	return false
}

func (c *Conn) written(now time.Time, heartbeat bool) {
	c.last = now
	if heartbeat {
		c.timer.Reset(c.shard.terms.Heartbeat)
	} else {
		c.source.Written()
	}
}

// catchUp writes the rest of a frame and then whatever is due, until the peer has it all, and gives the connection
// back to the shard. When the router closes it ends the stream after the frame.
func (c *Conn) catchUp(rest []byte, heartbeat bool) {
	var buf []byte
	for {
		if err := c.writeBlocking(rest); err != nil {
			c.end(err)

			return
		}
		c.written(time.Now(), heartbeat)
		if c.shard.terms.Ended() {
			break
		}
		var more bool
		if rest, more = c.source.Next(&buf); !more {
			c.end(nil)

			return
		}
		if rest == nil {
			break
		}
		heartbeat = false
	}
	if !c.shard.giveBack(c) {
		c.farewell()
	}
}
