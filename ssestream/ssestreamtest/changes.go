package ssestreamtest

import "sync"

// changes wakes goroutines that wait for a change. The zero value is ready to use.
type changes struct {
	mu      sync.Mutex
	waiting chan struct{}
}

// next returns a channel that the next change closes. Call it before checking the condition that is waited for.
func (c *changes) next() <-chan struct{} {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.waiting == nil {
		c.waiting = make(chan struct{})
	}

	return c.waiting
}

// notify wakes all waiting goroutines.
func (c *changes) notify() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.waiting != nil {
		close(c.waiting)
		c.waiting = nil
	}
}
