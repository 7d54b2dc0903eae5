package ssestreamtest

import "sync"

// changes wakes those who wait for something to change. The zero value is ready.
type changes struct {
	mu      sync.Mutex
	waiting chan struct{}
}

// next answers a channel that the next change closes. Take it before looking at what may change.
func (c *changes) next() <-chan struct{} {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.waiting == nil {
		c.waiting = make(chan struct{})
	}

	return c.waiting
}

// tell says that something has changed.
func (c *changes) tell() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.waiting != nil {
		close(c.waiting)
		c.waiting = nil
	}
}
