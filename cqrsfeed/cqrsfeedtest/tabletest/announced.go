package tabletest

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/feedmill/feedmill/cqrsfeed"
	"github.com/feedmill/feedmill/cqrsfeed/cqrsfeedtest/internal/model"
	"github.com/feedmill/feedmill/cqrsfeed/readmodel"
)

// testAnnounced has a publisher: a rebuild or a repair that changed something announces the table, whose feed is "".
func testAnnounced(t *testing.T, f fixture) {
	p, from := f.open(), model.NewWriteModel(model.ManyItems(30)...)
	var rebuilt, unchanged, repaired model.Announcements
	model.Rebuild(t, readmodel.RebuildConfig[model.Body]{
		Source: from, Store: p.Model(), Publisher: &rebuilt, UpdatesTopic: "table-updated",
	})
	require.Equal(t, []string{""}, rebuilt.Feeds())

	config := auditConfig(from, p)
	config.Repair, config.Publisher, config.UpdatesTopic = true, &unchanged, "table-updated"
	model.Audit(t, config)
	require.Empty(t, unchanged.Feeds())
	from.Put(model.State("post-0001", 5, 1, "later"))
	config.Publisher = &repaired
	model.Audit(t, config)
	require.Equal(t, []string{""}, repaired.Feeds())

	store := p.Model()
	for i, want := range []int{1, 0, 1, 0, 0} { // the first is for a rebuild that was stopped
		updated, err := store.Recount(t.Context())
		require.NoError(t, err)
		require.Len(t, updated, want, "call %d", i)
		for _, update := range updated {
			require.Equal(t, cqrsfeed.FeedUpdated{}, update)
		}
		if i > 0 { // with the same state
			_, err = store.Apply(t.Context(), []model.Change{model.State("anew", 1, 0, "all")})
			require.NoError(t, err)
		}
	}
}
