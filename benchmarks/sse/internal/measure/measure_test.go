//go:build linux

package measure_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/feedmill/feedmill/benchmarks/sse/internal/contestant"
	"github.com/feedmill/feedmill/benchmarks/sse/internal/measure"
)

// few is how many clients the tests have: enough to see that everything is measured, and nothing of how fast it is.
const few = 20

func newBench(t *testing.T, name string) *measure.Bench {
	t.Helper()
	config := measure.Config{
		Contestants: []string{name}, Rounds: 1, Clients: []int{few}, Deliveries: 10 * few, Size: 200,
		Stalled: few, StalledSize: 4096, Updates: 80, Interval: time.Millisecond,
		Reconnecting: few, Patience: patience(name),
	}
	require.NoError(t, config.Validate())
	bench, err := measure.New(t.Context(), config)
	require.NoError(t, err)

	return bench
}

// patience is short for those that are known to need all of it, because they are stuck or leave goroutines.
func patience(name string) time.Duration {
	switch name {
	case contestant.Floor, contestant.Feedmill:
		return time.Minute
	default:
		return 2 * time.Second
	}
}

func forEach(t *testing.T, test func(t *testing.T, name string, bench *measure.Bench)) {
	t.Helper()
	for _, name := range contestant.Names() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			test(t, name, newBench(t, name))
		})
	}
}

func TestTraffic(t *testing.T) {
	t.Parallel()
	loads := map[string]float64{contestant.Stock: few}
	forEach(t, func(t *testing.T, name string, bench *measure.Bench) {
		t.Helper()
		traffic, err := bench.Traffic(t.Context(), name, few)
		require.NoError(t, err)
		require.Positive(t, traffic.CPU)
		require.Greater(t, traffic.Bytes, 200.0)
		require.GreaterOrEqual(t, traffic.Writes, 1.0, "every delivery is a write")
		want := max(1, loads[name])
		require.InDelta(t, want, traffic.Loads, 0)
	})
}

// TestFloorSendsWhatFeedmillSends keeps the floor comparable.
func TestFloorSendsWhatFeedmillSends(t *testing.T) {
	t.Parallel()
	floor, err := newBench(t, contestant.Floor).Traffic(t.Context(), contestant.Floor, few)
	require.NoError(t, err)
	feedmill, err := newBench(t, contestant.Feedmill).Traffic(t.Context(), contestant.Feedmill, few)
	require.NoError(t, err)
	require.InDelta(t, feedmill.Bytes, floor.Bytes, 0)
	require.InDelta(t, feedmill.Writes, floor.Writes, 0.5, "writes that wake the server's poller count too")
}

func TestStall(t *testing.T) {
	t.Parallel()
	forEach(t, func(t *testing.T, name string, bench *measure.Bench) {
		t.Helper()
		stall, err := bench.Stall(t.Context(), name)
		require.NoError(t, err)
		require.Positive(t, stall.Without)
		require.Positive(t, stall.StalledRSS)
		if name == contestant.Feedmill || name == contestant.Floor {
			require.False(t, stall.Stuck)
			require.Positive(t, stall.With)
			require.Positive(t, stall.Taken)
			require.Zero(t, stall.Left)
		}
	})
}

func TestReconnect(t *testing.T) {
	t.Parallel()
	forEach(t, func(t *testing.T, name string, bench *measure.Bench) {
		t.Helper()
		reconnect, err := bench.Reconnect(t.Context(), name)
		require.NoError(t, err)
		require.Zero(t, reconnect.Errors)
		require.Positive(t, reconnect.Back)
		if name == contestant.Stock {
			require.GreaterOrEqual(t, reconnect.Loads, float64(few))
		}
	})
}
