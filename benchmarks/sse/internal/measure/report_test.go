//go:build linux

package measure_test

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/feedmill/feedmill/benchmarks/sse/internal/contestant"
	"github.com/feedmill/feedmill/benchmarks/sse/internal/measure"
)

// TestReport has three rounds. One contestant failed in one of them, and one was blocked in one of them: ratios compare
// figures of the same round, and a contestant that was blocked once is reported so.
func TestReport(t *testing.T) {
	t.Parallel()
	config := measure.Config{
		Contestants: []string{"floor", "feedmill", "stock"}, Rounds: 3, Clients: []int{7},
		Sizes: []int{200}, Changes: []contestant.Change{contestant.NewPost},
		Stalled: 5, StalledSize: 4096, Interval: time.Second, Reconnecting: 9,
	}
	results := measure.Results{
		Traffic: map[measure.Case]measure.Rounds[measure.Traffic]{{Clients: 7, Size: 200, Change: contestant.NewPost}: {
			"floor":    {{CPU: 1, Writes: 1, Bytes: 241, Loads: 1, IdleRSS: 4, UsedRSS: 5}, {CPU: 2}, {CPU: 10}},
			"feedmill": {{CPU: 3, Bytes: 482}, nil, {CPU: 11}},
		}},
		Stall: measure.Rounds[measure.Stall]{
			"floor":    {{Without: 2, With: 3, Left: 4}},
			"feedmill": {{Without: 2, With: 3}, {Without: 2, With: 1, Stuck: true}},
		},
		Reconnect: measure.Rounds[measure.Reconnect]{"floor": {{Loads: 1, Errors: 2, Back: 0.5}, {Loads: 3, Errors: 2, Back: 1}}},
	}
	var b strings.Builder
	require.NoError(t, measure.Report(&b, config, results))
	report := b.String()
	require.Contains(t, report, "medians of 3 rounds")
	require.Contains(t, report, "7 clients, states of 200 bytes, each with a new post:")
	require.Contains(t, report, "| floor | 2.00 | 1.00 | - | 0.00 | 0 | 2.0 | 0 | 0.0 | 0.0 | 0.00 |\n")
	require.Contains(t, report, "| feedmill | 7.00 | 2.05 | - |", "the median of 3/1 and 11/10")
	require.Contains(t, report, "| stock | - | - | - | - | - | - | - | - | - | - |\n")
	require.Contains(t, report, "| floor | 2.0 | 3.0 | 1.50 | 0 | 0 | 0 | 0 | 0 | 0 | 4 |\n")
	require.Contains(t, report, "| feedmill | 2.0 | never | - |")
	require.Contains(t, report, "| floor | 2 | 2 | 0.75 |\n")
}
