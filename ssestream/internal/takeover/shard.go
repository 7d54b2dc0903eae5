package takeover

import (
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"github.com/feedmill/feedmill/ssestream/internal/response"
)

// Shards are the goroutines that write to the connections that were taken over, each to its share of them.
type Shards struct {
	terms response.Terms
	all   []*shard
	turn  atomic.Uint32
}

// New returns one shard for two processors. The others are for the rest of the program and for the kernel, which
// has as much to do for a write. More shards make a write dearer, and hardly sooner done.
func New(terms response.Terms) *Shards {
	s := &Shards{terms: terms, all: make([]*shard, max(1, runtime.GOMAXPROCS(0)/2))}
	for i := range s.all {
		s.all[i] = &shard{terms: terms, wake: make(chan struct{}, 1), conns: map[*Conn]struct{}{}}
	}

	return s
}

// shard writes to connections, by one goroutine, without blocking on one of them. The goroutine starts with the
// first connection and ends with the router.
type shard struct {
	terms response.Terms
	wake  chan struct{}

	mu      sync.Mutex
	queue   []*Conn            // those that may have something due
	conns   map[*Conn]struct{} // all of them
	running bool
	closed  bool
}

// add reports false after the shard has closed.
func (s *shard) add(c *Conn) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return false
	}
	s.conns[c] = struct{}{}
	if !s.running {
		s.running = true
		s.terms.Go(s.run)
	}

	return true
}

// giveBack has the shard write to the connection again. It reports false after the shard has closed, which leaves
// the connection to its own goroutine.
func (s *shard) giveBack(c *Conn) bool {
	s.mu.Lock()
	closed := s.closed
	if !closed {
		c.slow.Store(false)
	}
	s.mu.Unlock()
	if !closed {
		s.push(c)
	}

	return !closed
}

func (s *shard) remove(c *Conn) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.conns, c)
}

// push queues the connection. It costs little where the shard has not come to it since the last push.
func (s *shard) push(c *Conn) {
	if c.queued.Swap(true) {
		return
	}
	s.mu.Lock()
	s.queue = append(s.queue, c)
	first := len(s.queue) == 1
	s.mu.Unlock()
	if first {
		select {
		case s.wake <- struct{}{}:
		default:
		}
	}
}

// take returns the queue and puts the empty one in its place.
func (s *shard) take(empty []*Conn) []*Conn {
	s.mu.Lock()
	defer s.mu.Unlock()
	queue := s.queue
	s.queue = empty

	return queue
}

// run writes until the router closes, and then ends all streams.
func (s *shard) run() {
	out := &output{raw: newRawWriter()}
	var batch []*Conn
	for {
		select {
		case <-s.wake:
		case <-s.terms.Closed:
			s.drain(out)

			return
		}
		clear(batch)
		batch = s.take(batch[:0])
		out.now = time.Now()
		for _, c := range batch {
			if s.terms.Ended() {
				break
			}
			c.flush(out)
		}
	}
}

// drain ends all streams with the farewell. The goroutine of a slow connection does so itself, after the frame that
// it is writing. No connection is added afterwards.
func (s *shard) drain(out *output) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.closed = true
	for c := range s.conns {
		switch {
		case c.slow.Load():
		case c.rest != nil:
			c.slow.Store(true)
			s.terms.Go(func() { c.catchUp(c.rest, false) })
		case c.raw == nil:
			c.slow.Store(true)
			s.terms.Go(c.farewell)
		default:
			_, _ = out.raw.tryWrite(c.raw, c.source.Other(s.terms.Farewell())) // The peer may be gone, or its socket full.
			c.end(nil)
		}
	}
}
