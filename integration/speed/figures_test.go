package speed_test

import (
	"slices"
	"time"
)

// median is the middle one of what was measured.
func median[V float64 | time.Duration](measured []V) V {
	sorted := slices.Sorted(slices.Values(measured))
	return sorted[len(sorted)/2]
}

// rate is how many a second n in took are.
func rate(n int, took time.Duration) float64 { return float64(n) / took.Seconds() }

// timed is how long a step takes.
func timed(step func()) time.Duration {
	began := time.Now()
	step()
	return time.Since(began)
}

func milliseconds(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }
