package ssestream

import (
	"context"
	"math/rand/v2"
	"time"
)

// backoff counts failures in a row and says how long to pause after each.
type backoff struct {
	minimum, maximum time.Duration
	failures         int
}

// next answers the pause after one more failure: doubling from minimum to maximum, at random between half of
// it and all of it so that many rooms or processes do not come back as one.
func (b *backoff) next() time.Duration {
	d := b.maximum
	if b.failures < 30 {
		d = min(b.minimum<<b.failures, b.maximum)
	}
	if d <= 0 {
		d = b.maximum
	}
	b.failures++

	return jitter(d*3/4, d/4)
}

// reset forgets the failures.
func (b *backoff) reset() { b.failures = 0 }

// jitter answers a random duration in [d-spread, d+spread].
func jitter(d, spread time.Duration) time.Duration {
	if spread <= 0 {
		return d
	}

	//nolint:gosec // G404: spreading load needs no secrecy
	return d - spread + rand.N(2*spread+1)
}

// sleep waits for d and says whether ctx lasted that long.
func sleep(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}
