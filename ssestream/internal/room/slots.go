package room

import "context"

// Slots bounds the loads of a router that run at once, and among them those of refreshes.
type Slots struct{ loads, refreshes slots }

// NewSlots returns n slots.
func NewSlots(n int) *Slots {
	return &Slots{loads: make(slots, n), refreshes: make(slots, (n+1)/2)}
}

type slots chan struct{}

// acquire waits for a slot and reports whether it got one before ctx ended.
func (s slots) acquire(ctx context.Context) bool {
	select {
	case s <- struct{}{}:
		return true
	case <-ctx.Done():
		return false
	}
}

func (s slots) release() { <-s }
