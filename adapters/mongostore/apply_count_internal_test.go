package mongostore

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// A worker that was overtaken bumps its feeds a second time, and what it counted before that must not be stored as if it
// was counted after it: nobody would count them again.
func TestCountsOfThePassBeforeAreNotStored(t *testing.T) {
	t.Parallel()
	budget := newCountBudget()
	budget.spent(map[string]int64{"a": 1}, 10_000, time.Hour, time.Now())
	config := FeedStoreConfig{}
	config.setDefaults()
	a := &application{config: config, budget: budget, bumped: []string{"a"}, counts: map[string]int64{"a": 1}}
	require.NoError(t, a.countBumped(t.Context()))
	require.Empty(t, a.counts)
}
