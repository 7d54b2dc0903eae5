package crashtest

import "sync"

// beat tells all who wait for it that something changed.
type beat struct {
	mu sync.Mutex
	ch chan struct{}
}

func newBeat() *beat { return &beat{ch: make(chan struct{})} }

// next is closed with the next change. Ask for it before you look at what may change.
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
