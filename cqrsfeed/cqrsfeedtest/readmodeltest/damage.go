package readmodeltest

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/feedmill/feedmill/cqrsfeed/cqrsfeedtest/internal/model"
	"github.com/feedmill/feedmill/cqrsfeed/readmodel"
)

// auditItems are those that the cases damage: x is in a and b, and z is deleted.
func auditItems() []model.Change {
	return append(model.ManyItems(40), model.State("x", 1, 3, "a", "b"), model.State("x", 2, 3, "a", "b"), model.State("y", 1, 4, "b"), model.Tombstone("z", 2, 5))
}

// auditCase is a drift: the database is damaged, or the models are changed apart.
type auditCase struct {
	damage  Damage
	applied []model.Change // to the read model only
	put     []model.Change // into the write model only
	removed string         // from the write model
	kind    readmodel.DriftKind
	item    string
	feed    string
	feeds   []string // that may be empty
	entry   bool     // only for stores with entries
}

func auditCases() map[string]auditCase {
	cases := map[string]auditCase{
		"a version is behind":                        {put: []model.Change{model.State("x", 3, 3, "a", "c")}, kind: readmodel.DriftVersion, item: "x"},
		"an item is missing":                         {put: []model.Change{model.State("w", 1, 3, "a", "c")}, kind: readmodel.DriftVersion, item: "w"},
		"a deletion is missing":                      {put: []model.Change{model.Tombstone("x", 3, 3)}, kind: readmodel.DriftVersion, item: "x", feeds: []string{"a"}},
		"a version is ahead of a restored backup":    {applied: []model.Change{model.State("x", 7, 3, "b", "d")}, kind: readmodel.DriftVersion, item: "x", feeds: []string{"d"}},
		"a deletion is ahead of a restored backup":   {applied: []model.Change{model.Tombstone("x", 7, 3)}, kind: readmodel.DriftVersion, item: "x"},
		"a deleted item that the write model has":    {applied: []model.Change{model.State("z", 3, 5, "d")}, kind: readmodel.DriftVersion, item: "z", feeds: []string{"d"}},
		"an item that the write model does not know": {removed: "x", kind: readmodel.DriftOrphan, item: "x", feeds: []string{"a"}},
		"a deleted item that it does not know":       {removed: "z", kind: readmodel.DriftOrphan, item: "z"},
		"an item after all that it knows":            {applied: []model.Change{model.State("zz", 1, 5, "d")}, kind: readmodel.DriftOrphan, item: "zz", feeds: []string{"d"}},
	}
	for _, c := range []auditCase{
		{damage: Damage{Kind: ItemGone, Item: "x"}, kind: readmodel.DriftVersion, item: "x"},
		{damage: Damage{Kind: ItemVersion, Item: "x", Number: 1}, kind: readmodel.DriftVersion, item: "x"},
		{damage: Damage{Kind: ItemVersion, Item: "x", Number: 9}, kind: readmodel.DriftVersion, item: "x"},
		{damage: Damage{Kind: ItemFeeds, Item: "x", Feeds: []string{"b", "d"}}, kind: readmodel.DriftFeeds, item: "x", feeds: []string{"d"}},
		{damage: Damage{Kind: ItemFeeds, Item: "x", Feeds: []string{}}, kind: readmodel.DriftFeeds, item: "x"},
		{damage: Damage{Kind: ItemBody, Item: "x"}, kind: readmodel.DriftContent, item: "x"},
		{damage: Damage{Kind: ItemGarbage, Item: "x"}, kind: readmodel.DriftContent, item: "x"},
		{damage: Damage{Kind: ItemUpdated, Item: "x", Number: 12345}, kind: readmodel.DriftContent, item: "x"},
		{damage: Damage{Kind: CountWrong, Feed: "a", Number: 5}, kind: readmodel.DriftCount, feed: "a"},
		{damage: Damage{Kind: CountWrong, Feed: "a", Number: 0}, kind: readmodel.DriftCount, feed: "a"},
		{damage: Damage{Kind: FeedGone, Feed: "a"}, kind: readmodel.DriftCount, feed: "a"},
		{damage: Damage{Kind: EntryGone, Item: "x", Feed: "a"}, kind: readmodel.DriftFeeds, item: "x", entry: true},
		{damage: Damage{Kind: EntryStray, Item: "x", Feed: "d"}, kind: readmodel.DriftFeeds, item: "x", feeds: []string{"d"}, entry: true},
		{damage: Damage{Kind: EntryMoved, Item: "x", Feed: "a", Number: 1}, kind: readmodel.DriftFeeds, item: "x", entry: true},
	} {
		cases[fmt.Sprintf("%s %s%s %d %v", c.damage.Kind, c.item, c.feed, c.damage.Number, c.damage.Feeds)] = c
	}
	return cases
}

func (c auditCase) run(t *testing.T, fixture AuditFixture) {
	store, from := fixture.Store, model.NewWriteModel(auditItems()...)
	model.Apply(t, store, auditItems()...)
	model.Require(t, store, from.Feeds("a", "b"))
	if c.damage.Kind != "" {
		fixture.Break(t, c.damage)
	}
	model.Apply(t, store, c.applied...)
	model.Recount(t, store)
	from.Put(c.put...)
	from.Remove(c.removed)

	var drifts []readmodel.Drift
	var told model.Announcements
	config := auditConfig(from, store)
	config.Drift = func(d readmodel.Drift) { drifts = append(drifts, d) }
	config.Publisher, config.UpdatesTopic = &told, "feed-updated"
	for _, repair := range []bool{false, true} {
		drifts, config.Repair = nil, repair
		summary := model.Audit(t, config)
		require.Equal(t, int64(len(drifts)), summary.Drifts)
		require.Zero(t, summary.Unsettled)
		c.requireFound(t, drifts, repair)
		if !repair {
			require.Zero(t, summary.Repaired)
			require.Empty(t, told.Feeds())
			continue
		}
		require.Zero(t, summary.Remaining(), "%v", drifts)
	}
	drifts = nil
	summary := model.Audit(t, config)
	require.Empty(t, drifts, "all is repaired")
	require.Positive(t, summary.Items)
	require.Positive(t, summary.Feeds)
	model.Require(t, store, from.Feeds(c.feeds...))
	if c.item != "z" { // it is in no feed
		require.NotEmpty(t, told.Feeds(), "pages are told")
	}
}

// requireFound looks for the drift of the case. The counts of the item's feeds may be drifts as well.
func (c auditCase) requireFound(t *testing.T, drifts []readmodel.Drift, repaired bool) {
	found := false
	for _, d := range drifts {
		t.Log(d)
		require.Equal(t, repaired, d.Repaired)
		require.NotEmpty(t, d.Want)
		require.NotEmpty(t, d.Got)
		require.Contains(t, []string{c.item, ""}, d.Item, "%v is no drift", d)
		found = found || d.Kind == c.kind && d.Item == c.item && d.Feed == c.feed
	}
	require.True(t, found, "%s of item %q or feed %q is not among %v", c.kind, c.item, c.feed, drifts)
}
