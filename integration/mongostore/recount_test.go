package mongostore_test

import (
	"context"
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/feedmill/feedmill/adapters/mongostore"
	"github.com/feedmill/feedmill/cqrsfeed"
	"github.com/feedmill/feedmill/cqrsfeed/driver"
	"github.com/feedmill/feedmill/cqrsfeed/readmodel"
	"github.com/feedmill/feedmill/integration/internal/servers"
)

// instance is one of several processes on a database, each with its own store.
type instance struct {
	*store
	*commands
}

func instances(t *testing.T, n int) []instance {
	t.Helper()
	uri := servers.Mongo(t)
	var all []instance
	for range n {
		watched := &commands{}
		s := open(t, connect(t, uri, watched.monitor()), mongostore.FeedStoreConfig{CountAtOnce: mongostore.Off})
		all = append(all, instance{s, watched})
	}
	return all
}

// sweep has every instance call Recount, and returns how many commands counted, and the feeds that were counted.
func sweep(t *testing.T, all []instance) (counts int, feeds []string) {
	t.Helper()
	for _, i := range all {
		i.forget()
		updated, err := i.Recount(t.Context())
		require.NoError(t, err)
		counts += count(i.sent(), "aggregate")
		for _, update := range updated {
			feeds = append(feeds, update.Feed)
		}
	}
	return counts, feeds
}

// TestInstancesCountWhatOneCounts: the instance that was the last to defer a count counts the feed, the others do not, whatever
// the order in which they sweep, and whoever else changed the feed.
func TestInstancesCountWhatOneCounts(t *testing.T) {
	t.Parallel()
	for _, n := range []int{1, 5} {
		all := instances(t, n)
		for round := range int64(2 * n) {
			for i, worker := range all {
				version := round*int64(n) + int64(i) + 1
				deliver(t, worker.store, [][]change{{state("x", version, "large"), state(fmt.Sprint("by", i), round+1, "large")}})
			}
			for range 2 {
				all = append(all[1:], all[0])
				counts, feeds := sweep(t, all)
				require.LessOrEqual(t, counts, 1, "%d instances", n)
				require.LessOrEqual(t, len(feeds), 1)
			}
			list, err := all[0].Feeds(t.Context(), "", 10)
			require.NoError(t, err)
			require.Len(t, list, 1)
			require.EqualValues(t, n+1, list[0].Count)
		}
	}
}

// TestFeedsOfAnInstanceThatIsGoneAreCounted by one that calls Recount often enough and sees no change.
func TestFeedsOfAnInstanceThatIsGoneAreCounted(t *testing.T) {
	t.Parallel()
	all := instances(t, 3)
	gone, left := all[0], all[1:]
	deliver(t, gone.store, [][]change{{state("x", 1, "large")}})
	for call := 1; call < driver.RecountCalls; call++ {
		counts, _ := sweep(t, left)
		require.Zero(t, counts, "call %d", call)
		if call == driver.RecountCalls-1 {
			deliver(t, gone.store, [][]change{{state("y", 1, "large")}}) // it was only slow
		}
	}
	for range driver.RecountCalls - 1 {
		counts, _ := sweep(t, left)
		require.Zero(t, counts)
	}
	counts, feeds := sweep(t, left)
	require.Equal(t, 1, counts)
	require.Equal(t, []string{"large"}, feeds)
	require.Equal(t, map[string]int64{"large": 2}, settled(t, left[1].store))
}

// untilCounted is a write model that has items until the feed of them is counted.
type untilCounted struct {
	*store

	scans int
}

// Scan implements readmodel.Source.
func (s *untilCounted) Scan(ctx context.Context, _ string, _ int) ([]cqrsfeed.Item[body], error) {
	list, err := s.Feeds(ctx, "", 1)
	if err != nil || len(list) > 0 || s.scans == 10_000 {
		return nil, err
	}
	s.scans++
	return []cqrsfeed.Item[body]{state(fmt.Sprintf("item %05d", s.scans), 1, "large").Item}, nil
}

// TestCountsFollowARebuild of a process of its own, although projectors leave the feeds that it changes to it.
func TestCountsFollowARebuild(t *testing.T) {
	t.Parallel()
	all := instances(t, 2)
	from := &untilCounted{store: all[1].store}
	_, err := readmodel.Rebuild(t.Context(), readmodel.RebuildConfig[body]{
		Source: from, Store: all[0].store, FeedsOf: func(cqrsfeed.Item[body]) []string { return []string{"large"} }, Workers: 1,
	})
	require.NoError(t, err)
	require.Less(t, from.scans, 10_000, "no count before the rebuild ended")
}
