package speed_test

import (
	"slices"
	"time"
)

// median returns the median.
func median[V float64 | time.Duration](measured []V) V {
	sorted := slices.Sorted(slices.Values(measured))
	return sorted[len(sorted)/2]
}

// rate returns n a second.
func rate(n int, took time.Duration) float64 { return float64(n) / took.Seconds() }

// timed returns how long a step takes.
func timed(step func()) time.Duration {
	began := time.Now()
	step()
	return time.Since(began)
}

func milliseconds(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }
