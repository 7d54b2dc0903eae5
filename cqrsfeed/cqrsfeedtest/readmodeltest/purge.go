package readmodeltest

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/feedmill/feedmill/cqrsfeed"
	"github.com/feedmill/feedmill/cqrsfeed/cqrsfeedtest/internal/model"
	"github.com/feedmill/feedmill/cqrsfeed/readmodel"
)

func purgeOldTombstones(t *testing.T, store readModel) {
	old, young, late, live := model.Tombstone("old", 2, 0), model.Tombstone("young", 2, 60), model.Tombstone("late", 2, 0), model.State("live", 1, 0, "b")
	items := []model.Change{old, young, late, live}
	model.Apply(t, store, model.State("old", 1, 0, "a"), old, young, model.State("late", 1, 0, "b"), live)
	from := model.NewWriteModel(items...)
	config := readmodel.PurgeConfig[model.Body]{
		Source: from, Stores: []readmodel.Store[model.Body]{store}, Before: young.Item.UpdatedAt, BatchSize: 1,
	}
	summary, err := readmodel.Purge(t.Context(), config)
	require.NoError(t, err)
	require.Equal(t, readmodel.PurgeSummary{Items: 1, Late: 1}, summary)
	left, err := from.Scan(t.Context(), "", 10)
	require.NoError(t, err)
	require.Equal(t, []cqrsfeed.Item[model.Body]{late.Item, live.Item, young.Item}, left)
	model.RequireVersion(t, store, "old", 0)
	model.RequireVersion(t, store, "young", 2)

	// The id can be used again.
	again := model.State("old", 1, 0, "a")
	model.Apply(t, store, again, late)
	model.Require(t, store, model.Fold([]model.Change{again, live}))
	summary, err = readmodel.Purge(t.Context(), config)
	require.NoError(t, err)
	require.Equal(t, int64(1), summary.Items, "the one that was late")
}

func purgeEmptyFeeds(t *testing.T, store readModel) {
	start := time.Now().Add(-time.Minute)
	items := []model.Change{model.State("one", 1, 0, "a", "b"), model.State("one", 2, 0, "b"), model.Tombstone("two", 2, 0)}
	model.Apply(t, store, model.State("two", 1, 0, "c"))
	for _, c := range items {
		model.Apply(t, store, c)
	}
	model.Recount(t, store)
	config := readmodel.PurgeConfig[model.Body]{Source: model.NewWriteModel(items...), Stores: []readmodel.Store[model.Body]{store}, Before: start}
	summary, err := readmodel.Purge(t.Context(), config)
	require.NoError(t, err)
	require.Zero(t, summary.Feeds, "they became empty later")
	config.Before = time.Now().Add(time.Minute)
	summary, err = readmodel.Purge(t.Context(), config)
	require.NoError(t, err)
	require.Equal(t, int64(2), summary.Feeds)
	for feed, known := range map[string]bool{"a": false, "b": true, "c": false} {
		page := model.Page(t, store, feed, "", 1)
		require.Equal(t, known, page.Feed.Revision > 0, "feed %q", feed)
	}
	items = append(items, model.State("one", 3, 0, "a"))
	model.Apply(t, store, items...)
	want := model.Fold(items)
	model.Require(t, store, want)
}
