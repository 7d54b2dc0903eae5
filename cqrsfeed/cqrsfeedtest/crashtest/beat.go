package crashtest

import "sync"

// beat wakes all goroutines that wait for a change.
type beat struct {
	mu sync.Mutex
	ch chan struct{}
}

func newBeat() *beat { return &beat{ch: make(chan struct{})} }

// next returns a channel that is closed by the next change. Call it before reading what may change.
func (b *beat) next() <-chan struct{} {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.ch
}

func (b *beat) all() {
	b.mu.Lock()
	defer b.mu.Unlock()
	close(b.ch)
	b.ch = make(chan struct{})
}
