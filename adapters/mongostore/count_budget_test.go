package mongostore_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/feedmill/feedmill/adapters/mongostore"
)

func TestSmallFeedsAreAlwaysCounted(t *testing.T) {
	t.Parallel()
	budget, now := mongostore.NewBudget(), time.Now()
	budget.Spent(map[string]int64{"small": 900}, 0, time.Second, now)
	require.True(t, budget.Allows("small", 100, now))
	require.Zero(t, budget.Remembered())
}

func TestLargeFeedsAreCountedATenthOfTheTime(t *testing.T) {
	t.Parallel()
	budget, now := mongostore.NewBudget(), time.Now()
	budget.Spent(map[string]int64{"large": 30_000, "larger": 70_000}, 0, 100*time.Millisecond, now)
	require.False(t, budget.Allows("large", 0, now.Add(269*time.Millisecond)), "its share was 30 ms")
	require.True(t, budget.Allows("large", 0, now.Add(271*time.Millisecond)))
	require.False(t, budget.Allows("larger", 0, now.Add(629*time.Millisecond)))
	require.True(t, budget.Allows("larger", 0, now.Add(631*time.Millisecond)))
	require.False(t, budget.Allows("large", 10_000, now.Add(time.Hour)), "too large for Apply")
}

func TestACountOverTheLimitIsLeftToRecountAtOnce(t *testing.T) {
	t.Parallel()
	budget, now := mongostore.NewBudget(), time.Now()
	budget.Spent(map[string]int64{"grown": 10_001}, 10_000, time.Second, now)
	require.False(t, budget.Allows("grown", 10_000, now))
	require.True(t, budget.Allows("grown", 0, now))

	budget.Spent(map[string]int64{"grown": 12}, 0, time.Millisecond, now)
	require.True(t, budget.Allows("grown", 10_000, now), "it shrank")
	require.Zero(t, budget.Remembered())
}

func TestApplyCountsATenthOfTheTime(t *testing.T) {
	t.Parallel()
	budget, now := mongostore.NewBudget(), time.Now().Add(time.Hour)
	require.True(t, budget.AtOnce(now), "an idle system counts at once")
	budget.Spent(map[string]int64{"a": 1}, 10_000, 300*time.Millisecond, now)
	require.False(t, budget.AtOnce(now.Add(499*time.Millisecond)), "50 ms more than there were")
	require.True(t, budget.AtOnce(now.Add(501*time.Millisecond)))

	budget.Spent(map[string]int64{"a": 1}, 0, time.Hour, now)
	require.True(t, budget.AtOnce(now.Add(502*time.Millisecond)), "what Recount counts takes nothing from it")
}
