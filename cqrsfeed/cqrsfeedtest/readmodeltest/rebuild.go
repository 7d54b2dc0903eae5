package readmodeltest

import (
	"context"
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/feedmill/feedmill/cqrsfeed/cqrsfeedtest"
	"github.com/feedmill/feedmill/cqrsfeed/cqrsfeedtest/internal/model"
	"github.com/feedmill/feedmill/cqrsfeed/limits"
	"github.com/feedmill/feedmill/cqrsfeed/readmodel"
)

type readModel = readmodel.Store[model.Body]

// TestRebuild tests that a store can be rebuilt and purged. open is called for every behaviour and must return an empty store.
func TestRebuild(t *testing.T, open func(t *testing.T) readmodel.Store[cqrsfeedtest.Body]) {
	for name, behaviour := range map[string]func(*testing.T, readModel){
		"an empty store is filled":                          rebuildEmpty,
		"a store in use is corrected":                       rebuildInPlace,
		"events flow meanwhile":                             rebuildBesideEvents,
		"a stopped rebuild can be continued or repeated":    rebuildStopped,
		"an item that is created meanwhile is no orphan":    rebuildComesMeanwhile,
		"an item that is created with an orphan's id stays": rebuildTakesID,
		"a refused item is withheld":                        rebuildRefused,
		"old tombstones are purged":                         purgeOldTombstones,
		"feeds that are long empty are purged":              purgeEmptyFeeds,
		"a withheld item is shown when it is accepted":      rebuildWithheld,
		"bodies of other releases are kept or left out":     rebuildOtherReleases,
		"bodies that the source changed are applied":        rebuildChangedBodies,
		"a new rule is applied in place":                    rebuildByNewRule,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			behaviour(t, open(t))
		})
	}
}

func rebuildConfig(from *model.WriteModel, into readmodel.Store[model.Body]) readmodel.RebuildConfig[model.Body] {
	return readmodel.RebuildConfig[model.Body]{Source: from, Store: into, FeedsOf: model.TagsOf, BatchSize: 50}
}

func rebuildEmpty(t *testing.T, store readModel) {
	from := model.NewWriteModel(model.ManyItems(430)...)
	var told model.Announcements
	var last readmodel.RebuildSummary
	config := rebuildConfig(from, store)
	config.Publisher, config.UpdatesTopic = &told, "feed-updated"
	config.Progress = func(s readmodel.RebuildSummary) {
		require.GreaterOrEqual(t, s.Items, last.Items)
		require.GreaterOrEqual(t, s.After, last.After)
		last = s
	}
	summary := model.Rebuild(t, config)
	require.Equal(t, int64(430), summary.Items)
	require.Equal(t, "post-0429", summary.After)
	require.Equal(t, summary, last)
	model.CompareCounts(t, store, from.Feeds()) // without another Recount
	model.Require(t, store, from.Feeds())
	for feed := range from.Feeds() {
		require.Contains(t, told.Feeds(), feed)
	}
	model.RequireVersion(t, store, "post-0004", 2) // tombstones are applied too

	// A late first version does not bring a deleted item back.
	model.Apply(t, store, model.State("post-0004", 1, 4, "all"))
	model.Require(t, store, from.Feeds())
}

func rebuildInPlace(t *testing.T, store readModel) {
	from := model.NewWriteModel(model.ManyItems(130)...)
	// The first half is applied, the rest is behind or missing.
	for i, c := range model.ManyItems(130) {
		if i < 60 || c.Item.Version == 1 && i%3 == 0 {
			model.Apply(t, store, c)
		}
	}
	model.Apply(t, store,
		model.State("a", 1, 0, "all", "before"), model.State("post-0007a", 9, 1, "all", "between"), model.State("z", 2, 2, "behind"),
		model.Tombstone("post-0008a", 4, 3))
	var told model.Announcements
	config := rebuildConfig(from, store)
	config.Publisher, config.UpdatesTopic = &told, "feed-updated"
	summary := model.Rebuild(t, config)
	require.Equal(t, int64(4), summary.Orphans)
	model.Require(t, store, from.Feeds("before", "between", "behind"))
	for _, feed := range []string{"all", "before", "between", "behind"} {
		require.Contains(t, told.Feeds(), feed)
	}

	// The id of an orphan can be used again, with any version.
	reborn := model.State("post-0007a", 1, 5, "between")
	from.Put(reborn)
	model.Apply(t, store, reborn)
	model.Require(t, store, from.Feeds("before", "behind"))
}

func rebuildStopped(t *testing.T, store readModel) {
	from := model.NewWriteModel(model.ManyItems(300)...)
	model.Apply(t, store, model.State("a", 1, 0, "orphans"), model.State("post-0290a", 1, 0, "orphans"))
	config := rebuildConfig(from, store)
	config.BatchSize, config.Workers = 20, 2
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	var last readmodel.RebuildSummary
	config.Progress = func(s readmodel.RebuildSummary) {
		requireDone(t, store, from, s)
		last = s
		if s.Items == 5*20 {
			stop()
		}
	}
	stopped, err := readmodel.Rebuild(ctx, config)
	require.ErrorIs(t, err, context.Canceled)
	require.Equal(t, last, stopped, "no more is said to be done than was reported")
	require.ErrorContains(t, err, fmt.Sprintf("%q", stopped.After), "the error says where it was")

	before := len(from.Scans())
	config.Progress, config.After = nil, stopped.After
	summary := model.Rebuild(t, config)
	require.Equal(t, stopped.After, from.Scans()[before], "it begins after that id")
	require.Equal(t, int64(300), stopped.Items+summary.Items)
	model.Require(t, store, from.Feeds("orphans"))

	config.After = ""
	summary = model.Rebuild(t, config)
	require.Equal(t, int64(300), summary.Items)
	model.Require(t, store, from.Feeds("orphans"))
}

// requireDone compares what a rebuild says is done with the store: all items up to After are there as they were written, and
// no others, and Items is their number. The store may have more behind it, where other workers are.
func requireDone(t *testing.T, store readmodel.Store[model.Body], from *model.WriteModel, s readmodel.RebuildSummary) {
	t.Helper()
	want, got := make(map[string]int64), make(map[string]int64)
	for _, item := range from.Items() {
		if item.ID <= s.After {
			want[item.ID] = item.Version
		}
	}
	require.Len(t, want, int(s.Items))
	ids, err := store.StoredIDs(t.Context(), "", limits.MaxPageLimit)
	require.NoError(t, err)
	stored, err := store.StoredItems(t.Context(), ids)
	require.NoError(t, err)
	for _, item := range stored {
		if item.ID <= s.After {
			got[item.ID] = item.Version
		}
	}
	require.Equal(t, want, got, "up to %q", s.After)
}
