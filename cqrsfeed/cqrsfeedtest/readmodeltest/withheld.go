package readmodeltest

import (
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/feedmill/feedmill/cqrsfeed"
	"github.com/feedmill/feedmill/cqrsfeed/cqrsfeedtest/internal/model"
	"github.com/feedmill/feedmill/cqrsfeed/readmodel"
)

func rebuildRefused(t *testing.T, store readModel) {
	from := model.NewWriteModel(model.ManyItems(60)...)
	bad := model.State("post-0030a", 2, 0, "all", "a name with a\nline break")
	from.Put(bad)
	model.Apply(t, store, model.State("post-0030a", 1, 0, "all"))
	config := rebuildConfig(from, store)
	_, err := readmodel.Rebuild(t.Context(), config)
	require.ErrorIs(t, err, cqrsfeed.ErrInvalid)
	require.ErrorContains(t, err, bad.Item.ID)

	var mu sync.Mutex
	var refused []string
	var reasons []error
	config.Refused = func(item cqrsfeed.Item[model.Body], reason error) {
		mu.Lock()
		defer mu.Unlock()
		refused = append(refused, item.ID)
		reasons = append(reasons, reason)
	}
	summary := model.Rebuild(t, config)
	require.Equal(t, int64(1), summary.Refused)
	require.Equal(t, []string{bad.Item.ID}, refused)
	require.ErrorIs(t, reasons[0], cqrsfeed.ErrInvalid)
	model.RequireVersion(t, store, bad.Item.ID, bad.Item.Version)
	from.Remove(bad.Item.ID)
	model.Require(t, store, from.Feeds())
}

func rebuildWithheld(t *testing.T, store readModel) {
	from := model.NewWriteModel(model.ManyItems(30)...)
	model.Apply(t, store, model.State("post-0003", 1, 3, "all"), model.Withheld("post-0003", 2, 3), model.Withheld("post-0004", 1, 4))
	model.Rebuild(t, rebuildConfig(from, store))
	model.Require(t, store, from.Feeds())
}

// auditOne audits, and requires that item x is the only drift.
func auditOne(t *testing.T, config readmodel.AuditConfig[model.Body], kind readmodel.DriftKind, repaired bool) readmodel.Drift {
	t.Helper()
	var drifts []readmodel.Drift
	config.Drift = func(d readmodel.Drift) { drifts = append(drifts, d) }
	model.Audit(t, config)
	require.Len(t, drifts, 1)
	require.Equal(t, kind, drifts[0].Kind)
	require.Equal(t, "x", drifts[0].Item)
	require.Equal(t, repaired, drifts[0].Repaired)
	return drifts[0]
}

func auditWithheld(t *testing.T, fixture AuditFixture) {
	store := fixture.Store
	items := []model.Change{model.State("x", 2, 1, "a", "b"), model.State("y", 1, 2, "b")}
	model.Apply(t, store, model.State("x", 1, 1, "a"), model.Withheld("x", 2, 1), items[1])
	config := auditConfig(model.NewWriteModel(items...), store)
	drift := auditOne(t, config, readmodel.DriftWithheld, false)
	require.Contains(t, drift.Got, "withheld")
	config.Repair = true
	auditOne(t, config, readmodel.DriftWithheld, true)
	model.Require(t, store, model.Fold(items))
	summary := model.Audit(t, config)
	require.Zero(t, summary.Drifts)
}

// auditRefused has a store that shows an item whose version FeedsOf now refuses: the version before, or the same version.
func auditRefused(t *testing.T, fixture AuditFixture) {
	store := fixture.Store
	for _, shown := range []model.Change{model.State("x", 1, 1, "a"), model.State("x", 2, 1, "a", "b")} {
		x, y := model.State("x", 2, 1, "a", "b"), model.State("y", 1, 2, "b")
		model.Apply(t, store, shown, y)
		var told model.Announcements
		config := auditConfig(model.NewWriteModel(x, y), store)
		config.FeedsOf = func(item cqrsfeed.Item[model.Body]) []string {
			if item.ID == "x" {
				return []string{""}
			}
			return model.TagsOf(item)
		}
		config.Publisher, config.UpdatesTopic = &told, "feed-updated"
		auditOne(t, config, readmodel.DriftRefused, false)
		require.Empty(t, told.Feeds())
		config.Repair = true
		auditOne(t, config, readmodel.DriftRefused, false)
		require.Contains(t, told.Feeds(), "a", "readers are told that the item left")
		want := model.Feeds{"a": nil, "b": {y.Item}}
		model.Require(t, store, want)

		drift := auditOne(t, config, readmodel.DriftRefused, false)
		require.Contains(t, drift.Got, "withheld", "it stays in the report until it is accepted")
		config.FeedsOf = model.TagsOf
		auditOne(t, config, readmodel.DriftWithheld, true)
		model.Require(t, store, model.Fold([]model.Change{x, y}))
	}
}
