package room

import "context"

// Slots bounds the loads of a router that run at once, and among them those of refreshes.
type Slots struct{ all, refreshes chan struct{} }

// NewSlots returns n slots.
func NewSlots(n int) *Slots {
	return &Slots{all: make(chan struct{}, n), refreshes: make(chan struct{}, (n+1)/2)}
}

// acquire waits for a slot and reports whether it got one before ctx ended.
func (s *Slots) acquire(ctx context.Context) bool { return acquire(ctx, s.all) }

func (s *Slots) release() { <-s.all }

// acquireRefresh waits until one more room may be refreshed.
func (s *Slots) acquireRefresh(ctx context.Context) bool { return acquire(ctx, s.refreshes) }

func (s *Slots) releaseRefresh() { <-s.refreshes }

func acquire(ctx context.Context, slots chan<- struct{}) bool {
	select {
	case slots <- struct{}{}:
		return true
	case <-ctx.Done():
		return false
	}
}
