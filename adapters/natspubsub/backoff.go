package natspubsub

import (
	"math/rand/v2"
	"time"
)

// How long to wait before the broker is asked again after it failed.
const (
	minRetry = 50 * time.Millisecond
	maxRetry = 5 * time.Second
)

// nthDelay doubles from least to most.
func nthDelay(n uint64, least, most time.Duration) time.Duration {
	for ; n > 1 && least < most; n-- {
		least *= 2
	}

	return min(least, most)
}

// backoff counts failures in a row.
type backoff struct{ failures uint64 }

// next answers how long to wait, jittered so that subscriptions that failed together do not return together.
func (b *backoff) next() time.Duration {
	b.failures++
	delay := nthDelay(b.failures, minRetry, maxRetry)

	return delay/2 + rand.N(delay/2+1) //nolint:gosec // spreading load needs no secret
}

func (b *backoff) reset() { b.failures = 0 }
