package ssestream

import (
	"runtime"
	"sync"
	"sync/atomic"
	"time"
)

// shards are the goroutines that write to the connections that were taken over, each to its share of them.
type shards struct {
	all  []*shard
	turn atomic.Uint32
}

// newShards makes one for two processors: the others are for the rest of the program and for the kernel, which has as
// much to do for every write. More of them make a write dearer, and hardly sooner done.
func newShards(r *Router) *shards {
	s := &shards{all: make([]*shard, max(1, runtime.GOMAXPROCS(0)/2))}
	for i := range s.all {
		s.all[i] = &shard{router: r, wake: make(chan struct{}, 1)}
	}

	return s
}

// pick spreads connections evenly.
func (s *shards) pick() *shard {
	return s.all[int(s.turn.Add(1))%len(s.all)]
}

// shard writes to connections, by one goroutine, without ever blocking on one of them. The goroutine begins with the
// first connection and ends with the router.
type shard struct {
	router *Router
	wake   chan struct{}

	mu      sync.Mutex
	queue   []*conn // those that may have something due
	conns   []*conn // all of them
	running bool
	closed  bool
}

// add says no where the shard has ended.
func (s *shard) add(cn *conn) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return false
	}
	cn.place = len(s.conns)
	s.conns = append(s.conns, cn)
	if !s.running {
		s.running = true
		s.router.tasks.Go(s.run)
	}

	return true
}

// giveBack has the shard write to the connection again, whose own goroutine did. It says no where the shard has ended,
// which left the connection to that goroutine.
func (s *shard) giveBack(cn *conn) bool {
	s.mu.Lock()
	closed := s.closed
	if !closed {
		cn.slow.Store(false)
	}
	s.mu.Unlock()
	if !closed {
		s.push(cn)
	}

	return !closed
}

func (s *shard) remove(cn *conn) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if cn.place < 0 {
		return
	}
	last := len(s.conns) - 1
	s.conns[cn.place] = s.conns[last]
	s.conns[cn.place].place = cn.place
	s.conns[last] = nil
	s.conns = s.conns[:last]
}

// push has the shard look what is due for the connection. It does not block, and costs little where the shard
// has not come to look since the last push.
func (s *shard) push(cn *conn) {
	if cn.queued.Swap(true) {
		return
	}
	s.mu.Lock()
	s.queue = append(s.queue, cn)
	first := len(s.queue) == 1
	s.mu.Unlock()
	if first {
		select {
		case s.wake <- struct{}{}:
		default:
		}
	}
}

// take answers the queue and puts the empty one in its place.
func (s *shard) take(empty []*conn) []*conn {
	s.mu.Lock()
	defer s.mu.Unlock()
	queue := s.queue
	s.queue = empty

	return queue
}

// run writes until the router closes, and then says farewell to all.
func (s *shard) run() {
	out := &output{
		raw:   newRawWriter(),
		spans: batchSpans{tracing: s.router.traces, open: map[*state]*batchSpan{}},
	}
	var batch []*conn
	for {
		select {
		case <-s.wake:
		case <-s.router.closed.Done():
			s.drain(out)

			return
		}
		clear(batch)
		batch = s.take(batch[:0])
		out.now = time.Now()
		for _, cn := range batch {
			if s.router.closed.Err() != nil {
				break
			}
			cn.flush(out)
		}
		out.spans.finish()
	}
}

// drain ends all streams, each with a reconnection time. A slow connection's goroutine does that itself, after the frame
// that it is in the middle of. Nobody is added afterwards.
func (s *shard) drain(out *output) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.closed = true
	for _, cn := range s.conns {
		switch {
		case cn.slow.Load():
		case cn.raw == nil:
			cn.slow.Store(true)
			s.router.tasks.Go(cn.farewell)
		default:
			_, _ = out.raw.tryWrite(cn.raw, s.router.farewell()) // The peer may be gone, or its socket full.
			cn.end(nil)
		}
	}
}
