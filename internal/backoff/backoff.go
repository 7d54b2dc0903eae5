// Package backoff waits between attempts at what failed.
package backoff

import (
	"context"
	"math/rand/v2"
	"time"
)

// Backoff counts failures in a row and tells how long to wait after each. The waits double from Min to Max and
// are jittered, so that what failed together does not come back together. It is not safe for concurrent use.
type Backoff struct {
	Min, Max time.Duration

	last time.Duration
}

// Next returns the wait after one more failure.
func (b *Backoff) Next() time.Duration {
	b.last = min(max(2*b.last, b.Min), b.Max)
	return Jitter(b.last)
}

// Wait sleeps for Next and reports whether ctx lasted that long.
func (b *Backoff) Wait(ctx context.Context) bool { return Sleep(ctx, b.Next()) }

// Reset forgets the failures.
func (b *Backoff) Reset() { b.last = 0 }

// Jitter returns a random duration between d/2 and d.
func Jitter(d time.Duration) time.Duration { return Between(d/2, d) }

// Between returns a random duration from low to high.
func Between(low, high time.Duration) time.Duration {
	return low + rand.N(high-low+1) //nolint:gosec // spreading load needs no secret
}

// Sleep waits for d and reports whether ctx lasted that long.
func Sleep(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}
