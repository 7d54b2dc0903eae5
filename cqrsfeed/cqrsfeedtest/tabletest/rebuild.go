package tabletest

import (
	"context"
	"database/sql"
	"errors"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/feedmill/feedmill/cqrsfeed"
	"github.com/feedmill/feedmill/cqrsfeed/cqrsfeedtest/internal/model"
	"github.com/feedmill/feedmill/cqrsfeed/readmodel"
)

func rebuild(t *testing.T, from *model.WriteModel, p Projection) readmodel.RebuildSummary {
	t.Helper()
	summary := model.Rebuild(t, readmodel.RebuildConfig[model.Body]{Source: from, Store: p.Model(), BatchSize: 50})
	return summary
}

func testFromNothing(t *testing.T, f fixture) {
	p, from := f.open(), model.NewWriteModel(model.ManyItems(230)...)
	applyEvents(t, p, model.State("orphan", 1, 0, "orphans"), model.State("post-0001", 1, 1, "all", "tag-1"))
	failure := errors.New("cannot clear")
	err := p.Clear(t.Context(), func(ctx context.Context, tx *sql.Tx) error {
		return errors.Join(f.counts.Clear(ctx, tx), failure)
	})
	require.ErrorIs(t, err, failure)
	require.Len(t, f.counts.Steps(t), 2, "both are as before")
	model.RequireVersion(t, p, "orphan", 1)

	require.NoError(t, p.Clear(t.Context(), f.counts.Clear))
	f.counts.Require(t, nil)
	summary := rebuild(t, from, p)
	require.Equal(t, int64(230), summary.Items)
	require.Zero(t, summary.Orphans)
	f.counts.Require(t, from.Items())
	f.counts.RequireChains(t, from.Items())
	applyEvents(t, p, model.State("post-0004", 1, 4, "all"))
	f.counts.Require(t, from.Items()) // a late event does not bring a deleted item back
}

func testInPlace(t *testing.T, f fixture) {
	p, from := f.open(), model.NewWriteModel(model.ManyItems(130)...)
	for i, c := range model.ManyItems(130) {
		if i < 60 || c.Item.Version == 1 && i%3 == 0 {
			applyEvents(t, p, c)
		}
	}
	applyEvents(t, p, model.State("a", 1, 0, "all", "before"), model.State("post-0007a", 9, 1, "all"), model.State("z", 2, 2, "behind"), model.Tombstone("zz", 4, 3))
	require.Equal(t, int64(4), rebuild(t, from, p).Orphans)
	f.counts.Require(t, from.Items())
	steps := len(f.counts.Steps(t))
	rebuild(t, from, p)
	require.Len(t, f.counts.Steps(t), steps, "nothing is left to do")

	reborn := model.State("post-0007a", 1, 5, "again")
	from.Put(reborn)
	applyEvents(t, p, reborn)
	f.counts.Require(t, from.Items())
}

// testBesideEvents clears and rebuilds while workers change items and apply the changes.
func testBesideEvents(t *testing.T, f fixture) {
	p, from := f.open(), model.NewWriteModel(model.ManyItems(100)...)
	writers := from.ChangeMeanwhile(40, func(c model.Change) {
		_, err := p.Apply(t.Context(), eventsOf(t, c))
		assert.NoError(t, err)
	})
	require.NoError(t, p.Clear(t.Context(), f.counts.Clear))
	rebuild(t, from, p)
	writers.Wait()
	f.counts.Require(t, from.Items()) // the steps are no chains, because some items come again after their deletion
}

func testRebuildRefused(t *testing.T, f fixture) {
	p := f.New("tag_count", func(ctx context.Context, tx *sql.Tx, before, after *cqrsfeed.Item[model.Body]) error {
		if after != nil && after.ID == "post-0007" && after.Version == 2 {
			return &cqrsfeed.RefusedError{Reason: errors.New("nobody counts it")}
		}
		return f.counts.Step(ctx, tx, before, after)
	})
	from := model.NewWriteModel(append(model.ManyItems(20), model.State("post-0007", 2, 7, "refused"))...)
	applyEvents(t, p, model.State("post-0007", 1, 7, "all", "tag-0"))
	var refused []string
	summary, err := readmodel.Rebuild(t.Context(), readmodel.RebuildConfig[model.Body]{
		Source: from, Store: p.Model(),
		Refused: func(item cqrsfeed.Item[model.Body], reason error) {
			refused = append(refused, item.ID)
			assert.ErrorContains(t, reason, "nobody counts it")
		},
	})
	require.NoError(t, err)
	require.Equal(t, int64(20), summary.Items)
	require.Equal(t, []string{"post-0007"}, refused)
	from.Remove("post-0007") // it is withheld
	f.counts.Require(t, from.Items())
}
