package readmodeltest

import (
	"context"
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/feedmill/feedmill/cqrsfeed"
	"github.com/feedmill/feedmill/cqrsfeed/cqrsfeedtest/internal/model"
	"github.com/feedmill/feedmill/cqrsfeed/readmodel"
)

// otherReleases are items of which this release knows a part (x) or cannot decode the body (u, w), and z is deleted.
func otherReleases() []model.Change {
	return []model.Change{
		model.Encoded(model.State("x", 1, 1, "all"), `{"tags":["all"],"later":9007199254740993}`),
		model.Undecodable(model.State("u", 2, 2, "all")), model.Undecodable(model.State("w", 1, 3, "all")), model.Undecodable(model.Tombstone("z", 2, 4)),
	}
}

// requireBody checks what the store has of an item, byte for byte.
func requireBody(t *testing.T, store readmodel.Store[model.Body], id string, version int64, body string) {
	t.Helper()
	stored, err := store.StoredItems(t.Context(), []string{id})
	require.NoError(t, err)
	require.Len(t, stored, 1)
	require.Equal(t, version, stored[0].Version)
	require.Equal(t, body, string(stored[0].Body))
}

// requireWithheld checks that the store has a version of an item, and shows none of the item.
func requireWithheld(t *testing.T, store readmodel.Store[model.Body], id string, version int64) {
	t.Helper()
	stored, err := store.StoredItems(t.Context(), []string{id})
	require.NoError(t, err)
	require.Len(t, stored, 1)
	require.Equal(t, version, stored[0].Version)
	require.True(t, stored[0].Withheld)
	require.Empty(t, stored[0].Feeds)
}

func rebuildOtherReleases(t *testing.T, store readModel) {
	from := model.NewWriteModel(append(model.ManyItems(120), otherReleases()...)...)
	model.Apply(t, store, model.Undecodable(model.State("u", 1, 2, "all")), model.State("z", 1, 4, "all"), model.Undecodable(model.State("orphan", 1, 5, "all")))
	config := rebuildConfig(from, store)
	config.BatchSize = 1 // some have nothing that can be decoded
	summary, err := readmodel.Rebuild(t.Context(), config)
	require.NoError(t, err, "another release may decode them")
	summary.Recounted = 0 // not every store counts at the end
	require.Equal(t, readmodel.RebuildSummary{Items: 124, After: "z", Undecodable: 2, Orphans: 1}, summary)
	requireBody(t, store, "x", 1, `{"tags":["all"],"later":9007199254740993}`)
	requireWithheld(t, store, "u", 2)
	requireWithheld(t, store, "w", 1)
	model.RequireVersion(t, store, "z", 2) // a tombstone needs no body

	var left []string
	config.Refused = func(item cqrsfeed.Item[model.Body], reason error) {
		require.ErrorContains(t, reason, fmt.Sprintf("item %q", item.ID))
		require.JSONEq(t, `{"text":5}`, string(item.Encoded))
		left = append(left, item.ID)
	}
	model.Rebuild(t, config)
	require.Equal(t, []string{"u", "w"}, left)

	u := model.Undecodable(model.State("u", 2, 2, "all"))
	model.Apply(t, store, u) // by a release that decodes it, of an older rule
	config.RuleVersion = 1
	model.Rebuild(t, config)
	requireBody(t, store, "u", 2, `{"text":5}`)
}

func auditOtherReleases(t *testing.T, fixture AuditFixture) {
	items := append(model.ManyItems(20), otherReleases()...)
	store, from := fixture.Store, model.NewWriteModel(append(items, model.Undecodable(model.State("w2", 2, 3, "all")))...)
	model.Apply(t, store, model.ManyItems(20)...)
	model.Apply(t, store, model.Undecodable(model.State("u", 2, 2, "all")), model.State("w2", 1, 3, "all"), model.State("z", 1, 4, "all"))
	model.Apply(t, store, model.Encoded(model.State("x", 1, 1, "all"), `{"tags":["all"]}`)) // as this release encodes it
	var drifts []string
	config := auditConfig(from, store)
	config.BatchSize, config.Repair = 1, true
	config.Drift = func(d readmodel.Drift) {
		if d.Item != "" {
			drifts = append(drifts, fmt.Sprint(d.Kind, " ", d.Item, " ", d.Repaired))
		}
	}
	model.Audit(t, config)
	require.Equal(t, []string{
		"undecodable u false", "undecodable w false", "undecodable w2 false", "content x true", "version z true",
	}, drifts)
	requireBody(t, store, "x", 1, `{"tags":["all"],"later":9007199254740993}`)
	requireBody(t, store, "u", 2, `{"text":5}`)
	requireWithheld(t, store, "w2", 2)

	drifts = nil
	model.Audit(t, config)
	require.Equal(t, []string{"undecodable u false", "undecodable w false", "undecodable w2 false"}, drifts)
}

// withoutText is a source that leaves a field out of the bodies.
type withoutText struct{ *model.WriteModel }

// Scan implements readmodel.Source.
func (s withoutText) Scan(ctx context.Context, after string, limit int) ([]cqrsfeed.Item[model.Body], error) {
	items, err := s.WriteModel.Scan(ctx, after, limit)
	for i := range items {
		items[i].Body.Text = ""
	}
	return items, err
}

// privateItems are an item with a text that a source without texts changes, and one that it leaves as it is.
func privateItems() []model.Change {
	return []model.Change{
		model.Encoded(model.State("x", 1, 1, "all"), `{"text":"secret","tags":["all"],"later":1}`),
		model.Encoded(model.State("y", 1, 2, "all"), `{"tags":["all"],"later":1}`),
	}
}

func requireNoText(t *testing.T, store readmodel.Store[model.Body]) {
	t.Helper()
	stored, err := store.StoredItems(t.Context(), []string{"x"})
	require.NoError(t, err)
	require.Len(t, stored, 1)
	require.NotContains(t, string(stored[0].Body), "secret")
	require.NotContains(t, string(stored[0].Body), "later")
	requireBody(t, store, "y", 1, `{"tags":["all"],"later":1}`)
}

func rebuildChangedBodies(t *testing.T, store readModel) {
	from := model.NewWriteModel(privateItems()...)
	config := rebuildConfig(from, store)
	config.Source = withoutText{from}
	model.Rebuild(t, config)
	requireNoText(t, store)
}

func auditChangedBodies(t *testing.T, fixture AuditFixture) {
	store, from := fixture.Store, model.NewWriteModel(privateItems()...)
	model.Apply(t, store, privateItems()...)
	var drifts []string
	config := auditConfig(from, store)
	config.Source, config.Repair = withoutText{from}, true
	config.Drift = func(d readmodel.Drift) { drifts = append(drifts, fmt.Sprint(d.Kind, " ", d.Item, " ", d.Repaired)) }
	for range 2 { // the second audit finds nothing
		model.Audit(t, config)
	}
	require.Equal(t, []string{"content x true"}, drifts)
	requireNoText(t, store)
}
