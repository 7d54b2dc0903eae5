package cqrsfeed

import (
	"context"
	"math/rand/v2"
	"time"
)

// backoff doubles a wait from least to most. The waits are jittered so that workers which failed together
// do not come back together.
type backoff struct {
	least, most time.Duration
	next        time.Duration
}

// interval is how long to wait next.
func (b *backoff) interval() time.Duration {
	b.next = min(max(2*b.next, b.least), b.most)
	return b.next/2 + rand.N(b.next/2+1) //nolint:gosec // spreading load needs no secret
}

// wait blocks for the next interval and reports false when ctx ended first.
func (b *backoff) wait(ctx context.Context) bool {
	timer := time.NewTimer(b.interval())
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// reset makes the next wait the shortest again.
func (b *backoff) reset() { b.next = 0 }
