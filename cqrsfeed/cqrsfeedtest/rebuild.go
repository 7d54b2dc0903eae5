package cqrsfeedtest

import (
	"context"
	"fmt"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/feedmill/feedmill/cqrsfeed"
	"github.com/feedmill/feedmill/cqrsfeed/readmodel"
)

// TestRebuild proves that a store can be rebuilt. It has to be a readmodel.Inspector, a
// readmodel.Repairer and a readmodel.Checkpointer. open is called for every behaviour and has to return
// an empty store.
func TestRebuild(t *testing.T, open func(t *testing.T) cqrsfeed.FeedStore[Body]) {
	for name, behaviour := range map[string]func(*testing.T, openFeedStore){
		"an empty store is filled":                      rebuildEmpty,
		"a store in use is made right":                  rebuildInPlace,
		"events flow beside it":                         rebuildBesideEvents,
		"what was cut off goes on":                      rebuildResumes,
		"a checkpoint is kept and forgotten":            checkpoints,
		"an item that comes meanwhile is no orphan":     rebuildComesMeanwhile,
		"an item that takes an orphan's id is not lost": rebuildTakesID,
		"a refused item is left out":                    rebuildRefused,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			behaviour(t, open)
		})
	}
}

func rebuildConfig(from *writeModel, into cqrsfeed.FeedStore[Body]) readmodel.RebuildConfig[Body] {
	return readmodel.RebuildConfig[Body]{Repository: from, Store: into, FeedsOf: tagsOf, BatchSize: 50}
}

// manyItems are the states of n items with some deleted ones, in few feeds.
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

func rebuildEmpty(t *testing.T, open openFeedStore) {
	store, from := open(t), newWriteModel(manyItems(430)...)
	var told announcements
	var last readmodel.RebuildProgress
	config := rebuildConfig(from, store)
	config.Publisher, config.UpdatesTopic = &told, "feed-updated"
	config.Progress = func(p readmodel.RebuildProgress) {
		if p.Phase != readmodel.RebuildCopying {
			require.Equal(t, int64(430), p.Items)
			return
		}
		require.Greater(t, p.Items, last.Items)
		require.Greater(t, p.After, last.After)
		last = p
	}
	summary, err := readmodel.Rebuild(t.Context(), config)
	require.NoError(t, err)
	require.Equal(t, int64(430), summary.Items)
	require.Equal(t, int64(430), summary.Total)
	require.Equal(t, int64(430), last.Items)
	require.Positive(t, summary.Rate)
	compareCounts(t, t, store, from.model()) // with nobody there to recount
	requireModel(t, store, from.model())
	for feed := range from.model() {
		require.Contains(t, told.names(), feed)
	}
	version, err := store.ItemVersion(t.Context(), "post-0004")
	require.NoError(t, err)
	require.Equal(t, int64(2), version, "tombstones are applied too")

	// A late first version does not bring a deleted item back.
	apply(t, store, state("post-0004", 1, 4, "all"))
	requireModel(t, store, from.model())
}

func rebuildInPlace(t *testing.T, open openFeedStore) {
	store, from := open(t), newWriteModel(manyItems(130)...)
	// The first half is there, the rest is behind or missing.
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
	requireModel(t, store, from.model("before", "between", "behind"))
	for _, feed := range []string{"all", "before", "between", "behind"} {
		require.Contains(t, told.names(), feed)
	}

	// An id that was an orphan's can be used: nothing is remembered of its versions.
	reborn := state("post-0007a", 1, 5, "between")
	from.put(reborn)
	apply(t, store, reborn)
	requireModel(t, store, from.model("before", "behind"))
}

// rebuildBesideEvents has workers apply what they put into the write model, while it is rebuilt from.
func rebuildBesideEvents(t *testing.T, open openFeedStore) {
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
	requireModel(t, store, from.model("orphans", "live-0", "live-1", "live-2", "live-3"))
}

func rebuildResumes(t *testing.T, open openFeedStore) {
	store, from := open(t), newWriteModel(manyItems(300)...)
	apply(t, store, state("a", 1, 0, "orphans"), state("post-0290a", 1, 0, "orphans"))
	config := rebuildConfig(from, store)
	config.BatchSize, config.Workers = 20, 2
	const batches = 5
	ctx, kill := context.WithCancel(t.Context())
	defer kill()
	var last readmodel.RebuildProgress
	config.Progress = func(p readmodel.RebuildProgress) {
		if last = p; p.Items == batches*20 {
			kill()
		}
	}
	_, err := readmodel.Rebuild(ctx, config)
	require.ErrorIs(t, err, context.Canceled)
	require.ErrorContains(t, err, fmt.Sprintf("%q", last.After), "it says where it was")

	before := len(from.scans())
	config.Progress = nil
	summary, err := readmodel.Rebuild(t.Context(), config)
	require.NoError(t, err)
	require.Equal(t, last.After, from.scans()[before], "it goes on where it was")
	require.Equal(t, last.Items, summary.Resumed)
	require.Equal(t, int64(300), summary.Items)
	requireModel(t, store, from.model("orphans"))

	for _, restart := range []bool{false, true} {
		before = len(from.scans())
		config.Restart = restart
		_, err = readmodel.Rebuild(t.Context(), config)
		require.NoError(t, err)
		require.Empty(t, from.scans()[before], "one that came to its end leaves nothing to go on from")
	}
}

func checkpoints(t *testing.T, open openFeedStore) {
	store, ok := open(t).(readmodel.Checkpointer)
	require.True(t, ok, "the store is no Checkpointer")
	for _, step := range []struct{ name, value string }{
		{"one", "1"}, {"two", "$a.b {\"x\": 1}"}, {"one", "2"}, {"one", ""}, {"one", ""}, {"none", ""},
	} {
		require.NoError(t, store.SaveCheckpoint(t.Context(), step.name, step.value))
		value, err := store.LoadCheckpoint(t.Context(), step.name)
		require.NoError(t, err)
		require.Equal(t, step.value, value)
	}
	value, err := store.LoadCheckpoint(t.Context(), "two")
	require.NoError(t, err)
	require.Equal(t, "$a.b {\"x\": 1}", value, "each name has its own")
}

func tap(t *testing.T, store cqrsfeed.FeedStore[Body]) *tapped {
	t.Helper()
	inspector, inspects := store.(readmodel.Inspector)
	require.True(t, inspects, "the store is no FeedInspector")
	repairer, repairs := store.(readmodel.Repairer[Body])
	require.True(t, repairs, "the store is no FeedRepairer")
	checkpointer, remembers := store.(readmodel.Checkpointer)
	require.True(t, remembers, "the store is no Checkpointer")
	return &tapped{FeedStore: store, inspector: inspector, repairer: repairer, checkpointer: checkpointer}
}

// rebuildComesMeanwhile creates an item behind the scan that passed its id, and applies it at once.
func rebuildComesMeanwhile(t *testing.T, open openFeedStore) {
	store, from := open(t), newWriteModel(manyItems(20)...)
	apply(t, store, state("post-0000", 1, 0, "all", "tag-0")) // so that it is in use
	tapped := tap(t, store)
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
	requireModel(t, store, from.model())
}

// rebuildTakesID creates an item in the moment in which an orphan of its id, with a higher version, has been
// decided upon. Its event is taken for a stale one.
func rebuildTakesID(t *testing.T, open openFeedStore) {
	store, from := open(t), newWriteModel(manyItems(20)...)
	apply(t, store, state("post-0005a", 5, 0, "old"))
	tapped := tap(t, store)
	tapped.beforeForget = func([]readmodel.StoredItem) {
		created := state("post-0005a", 1, 3, "all", "late")
		from.put(created)
		apply(t, store, created)
	}
	_, err := readmodel.Rebuild(t.Context(), rebuildConfig(from, tapped))
	require.NoError(t, err)
	requireModel(t, store, from.model("old"))
}

func rebuildRefused(t *testing.T, open openFeedStore) {
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
	requireModel(t, store, from.model())
}
