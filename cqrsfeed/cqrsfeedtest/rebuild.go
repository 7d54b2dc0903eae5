package cqrsfeedtest

import (
	"context"
	"fmt"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/feedmill/feedmill/cqrsfeed"
	"github.com/feedmill/feedmill/cqrsfeed/cqrsfeedtest/internal/feedmodel"
	"github.com/feedmill/feedmill/cqrsfeed/readmodel"
)

// openReadModel opens an empty store that lives until the test ends.
type openReadModel func(t *testing.T) readmodel.Store[Body]

// TestRebuild tests that a store can be rebuilt. open is called for every behaviour and must return an empty store.
func TestRebuild(t *testing.T, open func(t *testing.T) readmodel.Store[Body]) {
	for name, behaviour := range map[string]func(*testing.T, openReadModel){
		"an empty store is filled":                          rebuildEmpty,
		"a store in use is corrected":                       rebuildInPlace,
		"events flow meanwhile":                             rebuildBesideEvents,
		"a stopped rebuild can be continued or repeated":    rebuildStopped,
		"an item that is created meanwhile is no orphan":    rebuildComesMeanwhile,
		"an item that is created with an orphan's id stays": rebuildTakesID,
		"a refused item is left out":                        rebuildRefused,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			behaviour(t, open)
		})
	}
}

func rebuildConfig(from *writeModel, into readmodel.Store[Body]) readmodel.RebuildConfig[Body] {
	return readmodel.RebuildConfig[Body]{Source: from, Store: into, FeedsOf: tagsOf, BatchSize: 50}
}

// manyItems returns the states of n items in few feeds, some of which are deleted.
func manyItems(n int) []change {
	var all []change
	for i := range n {
		id := fmt.Sprintf("post-%04d", i)
		all = append(all, state(id, 1, i, "all", fmt.Sprintf("tag-%d", i%7)))
		switch i % 10 {
		case 3:
			all = append(all, state(id, 2, i, "all", fmt.Sprintf("tag-%d", i%5)))
		case 4:
			all = append(all, tombstone(id, 2, i))
		}
	}
	return all
}

func rebuildEmpty(t *testing.T, open openReadModel) {
	store, from := open(t), newWriteModel(manyItems(430)...)
	var told announcements
	var last readmodel.RebuildSummary
	config := rebuildConfig(from, store)
	config.Publisher, config.UpdatesTopic = &told, "feed-updated"
	config.Progress = func(s readmodel.RebuildSummary) {
		require.GreaterOrEqual(t, s.Items, last.Items)
		require.GreaterOrEqual(t, s.After, last.After)
		last = s
	}
	summary, err := readmodel.Rebuild(t.Context(), config)
	require.NoError(t, err)
	require.Equal(t, int64(430), summary.Items)
	require.Equal(t, "post-0429", summary.After)
	require.Equal(t, summary, last)
	feedmodel.CompareCounts(t, store, from.model()) // without another Recount
	feedmodel.Require(t, store, from.model())
	for feed := range from.model() {
		require.Contains(t, told.names(), feed)
	}
	version, err := store.ItemVersion(t.Context(), "post-0004")
	require.NoError(t, err)
	require.Equal(t, int64(2), version, "tombstones are applied too")

	// A late first version does not bring a deleted item back.
	apply(t, store, state("post-0004", 1, 4, "all"))
	feedmodel.Require(t, store, from.model())
}

func rebuildInPlace(t *testing.T, open openReadModel) {
	store, from := open(t), newWriteModel(manyItems(130)...)
	// The first half is applied, the rest is behind or missing.
	for i, c := range manyItems(130) {
		if i < 60 || c.Item.Version == 1 && i%3 == 0 {
			apply(t, store, c)
		}
	}
	apply(t, store,
		state("a", 1, 0, "all", "before"), state("post-0007a", 9, 1, "all", "between"), state("z", 2, 2, "behind"),
		tombstone("post-0008a", 4, 3))
	var told announcements
	config := rebuildConfig(from, store)
	config.Publisher, config.UpdatesTopic = &told, "feed-updated"
	summary, err := readmodel.Rebuild(t.Context(), config)
	require.NoError(t, err)
	require.Equal(t, int64(4), summary.Orphans)
	feedmodel.Require(t, store, from.model("before", "between", "behind"))
	for _, feed := range []string{"all", "before", "between", "behind"} {
		require.Contains(t, told.names(), feed)
	}

	// The id of an orphan can be used again, with any version.
	reborn := state("post-0007a", 1, 5, "between")
	from.put(reborn)
	apply(t, store, reborn)
	feedmodel.Require(t, store, from.model("before", "behind"))
}

// rebuildBesideEvents rebuilds while workers change items and apply the changes.
func rebuildBesideEvents(t *testing.T, open openReadModel) {
	store, from := open(t), newWriteModel(manyItems(200)...)
	apply(t, store, state("post-0100a", 3, 0, "orphans"), state("zz", 3, 0, "orphans"))
	const workers, each = 3, 60
	var writers sync.WaitGroup
	for w := range workers {
		writers.Go(func() {
			for i := range each {
				n := (i*67 + w) % 220 // some of them new
				c := state(fmt.Sprintf("post-%04d", n), int64(10+i*workers+w), n, "all", fmt.Sprintf("live-%d", i%4))
				if i%9 == 8 {
					c = tombstone(c.Item.ID, c.Item.Version, n)
				}
				from.put(c)
				assert.NoError(t, applyUntilDone(t.Context(), store, []change{c}))
			}
		})
	}
	config := rebuildConfig(from, store)
	config.BatchSize = 10
	_, err := readmodel.Rebuild(t.Context(), config)
	writers.Wait()
	require.NoError(t, err)
	feedmodel.Require(t, store, from.model("orphans", "live-0", "live-1", "live-2", "live-3"))
}

func rebuildStopped(t *testing.T, open openReadModel) {
	store, from := open(t), newWriteModel(manyItems(300)...)
	apply(t, store, state("a", 1, 0, "orphans"), state("post-0290a", 1, 0, "orphans"))
	config := rebuildConfig(from, store)
	config.BatchSize, config.Workers = 20, 2
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	config.Progress = func(s readmodel.RebuildSummary) {
		if s.Items == 5*20 {
			stop()
		}
	}
	stopped, err := readmodel.Rebuild(ctx, config)
	require.ErrorIs(t, err, context.Canceled)
	require.ErrorContains(t, err, fmt.Sprintf("%q", stopped.After), "the error says where it was")

	before := len(from.scans())
	config.Progress, config.After = nil, stopped.After
	summary, err := readmodel.Rebuild(t.Context(), config)
	require.NoError(t, err)
	require.Equal(t, stopped.After, from.scans()[before], "it begins after that id")
	require.Equal(t, int64(300), stopped.Items+summary.Items)
	feedmodel.Require(t, store, from.model("orphans"))

	config.After = ""
	summary, err = readmodel.Rebuild(t.Context(), config)
	require.NoError(t, err)
	require.Equal(t, int64(300), summary.Items)
	feedmodel.Require(t, store, from.model("orphans"))
}

// rebuildComesMeanwhile creates and applies an item after the scan has passed its id.
func rebuildComesMeanwhile(t *testing.T, open openReadModel) {
	store, from := open(t), newWriteModel(manyItems(20)...)
	apply(t, store, state("post-0000", 1, 0, "all", "tag-0")) // so that it is in use
	tapped := &tapped{Store: store}
	tapped.beforeForget = func(seen []readmodel.StoredItem) { assert.Failf(t, "taken for an orphan", "%v", seen) }
	from.onScan = func(n int) {
		if n == 1 {
			created := state("post-0005a", 1, 3, "all", "late")
			from.put(created)
			apply(t, store, created)
		}
	}
	_, err := readmodel.Rebuild(t.Context(), rebuildConfig(from, tapped))
	require.NoError(t, err)
	feedmodel.Require(t, store, from.model())
}

// rebuildTakesID creates an item with the id of an orphan just before the orphan is removed. The orphan has a higher version,
// so the item's event is taken for stale.
func rebuildTakesID(t *testing.T, open openReadModel) {
	store, from := open(t), newWriteModel(manyItems(20)...)
	apply(t, store, state("post-0005a", 5, 0, "old"))
	tapped := &tapped{Store: store}
	tapped.beforeForget = func([]readmodel.StoredItem) {
		created := state("post-0005a", 1, 3, "all", "late")
		from.put(created)
		apply(t, store, created)
	}
	_, err := readmodel.Rebuild(t.Context(), rebuildConfig(from, tapped))
	require.NoError(t, err)
	feedmodel.Require(t, store, from.model("old"))
}

func rebuildRefused(t *testing.T, open openReadModel) {
	store, from := open(t), newWriteModel(manyItems(60)...)
	bad := state("post-0030a", 1, 0, "all", "a name with a\nline break")
	from.put(bad)
	config := rebuildConfig(from, store)
	_, err := readmodel.Rebuild(t.Context(), config)
	require.ErrorIs(t, err, cqrsfeed.ErrInvalid)
	require.ErrorContains(t, err, bad.Item.ID)

	var mu sync.Mutex
	var refused []string
	var reasons []error
	config.Refused = func(item cqrsfeed.Item[Body], reason error) {
		mu.Lock()
		defer mu.Unlock()
		refused = append(refused, item.ID)
		reasons = append(reasons, reason)
	}
	summary, err := readmodel.Rebuild(t.Context(), config)
	require.NoError(t, err)
	require.Equal(t, int64(1), summary.Refused)
	require.Equal(t, []string{bad.Item.ID}, refused)
	require.ErrorIs(t, reasons[0], cqrsfeed.ErrInvalid)
	from.remove(bad.Item.ID)
	feedmodel.Require(t, store, from.model())
}
