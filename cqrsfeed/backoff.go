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

// wait blocks for the next interval and reports false when ctx ended first.
func (b *backoff) wait(ctx context.Context) bool {
	b.next = min(max(2*b.next, b.least), b.most)
	jittered := b.next/2 + rand.N(b.next/2+1) //nolint:gosec // spreading load needs no secret
	timer := time.NewTimer(jittered)
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
