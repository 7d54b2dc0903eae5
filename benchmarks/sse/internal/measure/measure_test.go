//go:build linux

package measure_test

import (
	"os/exec"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/feedmill/feedmill/benchmarks/sse/internal/contestant"
	"github.com/feedmill/feedmill/benchmarks/sse/internal/measure"
)

// clients is the number of clients in the tests: enough to measure everything, not to compare speed.
const clients = 20

// few is the traffic that the tests measure.
var few = measure.Case{Clients: clients, Size: 2_000, Change: contestant.NewCount} //nolint:gochecknoglobals // a constant

func newBench(t *testing.T, name string) *measure.Bench {
	t.Helper()
	config := measure.Config{
		Contestants: []string{name}, Rounds: 1, Clients: []int{clients}, Deliveries: 10 * clients,
		Sizes: []int{few.Size}, Changes: []contestant.Change{few.Change},
		Stalled: clients, StalledSize: 4096, Updates: 80, Interval: time.Millisecond,
		Reconnecting: clients, Patience: patience(name),
	}
	config.Centrifugo, _ = exec.LookPath("centrifugo")
	require.NoError(t, config.Validate())
	bench, err := measure.New(t.Context(), config)
	require.NoError(t, err)

	return bench
}

// patience is short for contestants that need all of it, because they block or leave goroutines.
func patience(name string) time.Duration {
	switch name {
	case contestant.Floor, contestant.Feedmill, contestant.FeedmillApp, contestant.FeedmillMiddleware:
		return time.Minute
	default:
		return 2 * time.Second
	}
}

func forEach(t *testing.T, names []string, test func(t *testing.T, name string, bench *measure.Bench)) {
	t.Helper()
	for _, name := range names {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			test(t, name, newBench(t, name))
		})
	}
}

func TestTraffic(t *testing.T) {
	t.Parallel()
	loads := map[string]float64{contestant.Stock: clients}
	forEach(t, names(t), func(t *testing.T, name string, bench *measure.Bench) {
		t.Helper()
		kind, err := contestant.KindOf(name)
		require.NoError(t, err)
		traffic, err := bench.Traffic(t.Context(), name, few)
		require.NoError(t, err)
		require.Positive(t, traffic.CPU)
		require.Greater(t, traffic.Bytes, 20.0)
		require.Equal(t, kind.Opaque, traffic.Bytes < 2000, "an update of 2000 bytes takes %.0f", traffic.Bytes)
		require.GreaterOrEqual(t, traffic.Writes, 1.0, "every delivery is a write")
		want := max(1, loads[name])
		require.InDelta(t, want, traffic.Loads, 0)
	})
}

// names returns the contestants that this machine has.
func names(t *testing.T) []string {
	t.Helper()
	program, _ := exec.LookPath("centrifugo")

	return slices.DeleteFunc(contestant.All(), func(name string) bool {
		kind, err := contestant.KindOf(name)
		require.NoError(t, err)

		return kind.Program && program == ""
	})
}

// TestFloorSendsWhatFeedmillSends tests that the floor is comparable.
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
	forEach(t, contestant.Whole(), func(t *testing.T, name string, bench *measure.Bench) {
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
	forEach(t, contestant.Whole(), func(t *testing.T, name string, bench *measure.Bench) {
		t.Helper()
		reconnect, err := bench.Reconnect(t.Context(), name)
		require.NoError(t, err)
		require.Zero(t, reconnect.Errors)
		require.Positive(t, reconnect.Back)
		if name == contestant.Stock {
			require.GreaterOrEqual(t, reconnect.Loads, float64(clients))
		}
	})
}

// TestMemory guards what an idle client takes of the heap. Stacks are larger with the race detector.
func TestMemory(t *testing.T) {
	t.Parallel()
	forEach(t, []string{contestant.Feedmill, contestant.FeedmillApp}, func(t *testing.T, name string, bench *measure.Bench) {
		t.Helper()
		memory, err := bench.Memory(t.Context(), name, 2_000)
		require.NoError(t, err)
		require.Less(t, memory.Heap, 4.6)
		require.Positive(t, memory.Stacks)
		require.InDelta(t, memory.Heap, sum(memory.Owners), 1.0)
	})
}

func sum(figures map[string]float64) (all float64) {
	for _, figure := range figures {
		all += figure
	}

	return all
}
