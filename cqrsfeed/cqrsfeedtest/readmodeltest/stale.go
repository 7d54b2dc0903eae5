package readmodeltest

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/feedmill/feedmill/cqrsfeed"
	"github.com/feedmill/feedmill/cqrsfeed/cqrsfeedtest/internal/model"
	"github.com/feedmill/feedmill/cqrsfeed/readmodel"
)

// auditStale repairs by an old read. The newer version, which was applied meanwhile, must stay.
func auditStale(t *testing.T, fixture AuditFixture) {
	store := fixture.Store
	v1, v2 := model.State("x", 1, 1, "a", "b"), model.State("x", 2, 1, "b", "c")
	model.Apply(t, store, v1)
	seen, err := store.StoredItems(t.Context(), []string{"x", "nobody"})
	require.NoError(t, err)
	require.Len(t, seen, 1)
	model.Apply(t, store, v2)

	_, err = store.Restate(t.Context(), []readmodel.Restatement[model.Body]{{Seen: seen[0], Change: v1}})
	require.NoError(t, err)
	_, err = store.Restate(t.Context(), []readmodel.Restatement[model.Body]{{Change: v1}})
	require.NoError(t, err)
	_, err = store.Forget(t.Context(), seen)
	require.NoError(t, err)
	model.Require(t, store, model.Fold([]model.Change{v1, v2}))

	_, err = store.Restate(t.Context(), []readmodel.Restatement[model.Body]{{Seen: seen[0], Change: model.State("x", 3, 1, "")}})
	require.ErrorIs(t, err, cqrsfeed.ErrInvalid)
}

// auditUnknown restates an item that the store does not know, and repeats that by the old read.
func auditUnknown(t *testing.T, fixture AuditFixture) {
	v1, v2 := model.State("x", 1, 1, "a"), model.State("x", 2, 1, "b")
	for _, c := range []model.Change{v2, v1} {
		_, err := fixture.Store.Restate(t.Context(), []readmodel.Restatement[model.Body]{{Change: c}})
		require.NoError(t, err)
		model.Require(t, fixture.Store, model.Fold([]model.Change{v1, v2}))
	}
	_, err := fixture.Store.Forget(t.Context(), []readmodel.StoredItem{{ID: "nobody", Version: 1}})
	require.NoError(t, err)
}

// auditStaleRule repairs by an old read. The state of the newer rule, which was applied meanwhile, must stay.
func auditStaleRule(t *testing.T, fixture AuditFixture) {
	store := fixture.Store
	before, after := model.State("x", 1, 1, "a", "b"), model.ByRule(1, model.State("x", 1, 1, "b", "c"))
	model.Apply(t, store, before)
	seen, err := store.StoredItems(t.Context(), []string{"x"})
	require.NoError(t, err)
	require.Len(t, seen, 1)
	model.Apply(t, store, after)
	_, err = store.Restate(t.Context(), []readmodel.Restatement[model.Body]{{Seen: seen[0], Change: before}})
	require.NoError(t, err)
	_, err = store.Forget(t.Context(), seen)
	require.NoError(t, err)
	model.Require(t, store, model.Fold([]model.Change{before, after}))
}
