package cqrsfeedtest

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/feedmill/feedmill/cqrsfeed/cqrsfeedtest/internal/feedmodel"
	"github.com/feedmill/feedmill/cqrsfeed/readmodel"
)

// AuditFixture is an empty store that a test can damage.
type AuditFixture struct {
	Store readmodel.Store[Body]
	// Break damages the database, bypassing the store.
	Break func(t *testing.T, damage Damage)
	// Entries says that the store keeps an entry for each feed of an item, so that one can be damaged alone: Break
	// knows the kinds that begin with Entry.
	Entries bool
}

// Damage is a change of what a store keeps.
type Damage struct {
	Kind DamageKind
	// Item and Feed say which item, entry or feed is damaged.
	Item, Feed string
	// Number is a version, a count, or a time in microseconds since 1970.
	Number int64
	// Feeds are the feeds that ItemFeeds puts the item into.
	Feeds []string
}

// DamageKind is a way to damage a store.
type DamageKind string

// The kinds of damage.
const (
	// ItemGone removes the item.
	ItemGone DamageKind = "an item is gone"
	// ItemVersion gives the item the version Number.
	ItemVersion DamageKind = "an item has another version"
	// ItemFeeds puts the item into Feeds, and out of all others.
	ItemFeeds DamageKind = "an item is in other feeds"
	// ItemBody gives the item other JSON as its body.
	ItemBody DamageKind = "an item has another body"
	// ItemGarbage gives the item a body that is not JSON.
	ItemGarbage DamageKind = "an item has no JSON"
	// ItemUpdated gives the item the time of update Number.
	ItemUpdated DamageKind = "an item has another time of update"
	// CountWrong gives the feed the count Number.
	CountWrong DamageKind = "a count is wrong"
	// FeedGone removes what the store knows of the feed itself: its count and revision.
	FeedGone DamageKind = "a feed is gone"

	// EntryGone removes the item from Feed.
	EntryGone DamageKind = "an entry is gone"
	// EntryStray adds the item to Feed.
	EntryStray DamageKind = "a stray entry"
	// EntryMoved gives the item's entry in Feed the time of creation Number.
	EntryMoved DamageKind = "an entry has another time"
)

// TestAudit tests that a store can be compared with a write model, and repaired. open is called for every behaviour
// and must return an empty store.
func TestAudit(t *testing.T, open func(t *testing.T) AuditFixture) {
	for name, c := range auditCases() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			fixture := open(t)
			if !c.entry || fixture.Entries {
				c.run(t, fixture)
			}
		})
	}
	for name, behaviour := range map[string]func(*testing.T, AuditFixture){
		"a correct store has no drift":                 auditCorrect,
		"an event under way is no drift":               auditUnderWay,
		"an item that changes meanwhile is unsettled":  auditUnsettled,
		"much damage is repaired while events flow":    auditBesideEvents,
		"another FeedsOf is applied in place":          auditOtherFeeds,
		"a repair leaves alone what changed meanwhile": auditStale,
		"an unknown item is restated":                  auditUnknown,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			behaviour(t, open(t))
		})
	}
}

// recheckDelay is short, because no events are under way but those of the test.
const recheckDelay = 20 * time.Millisecond

func auditConfig(from *writeModel, store readmodel.Store[Body]) readmodel.AuditConfig[Body] {
	return readmodel.AuditConfig[Body]{
		Source: from, Store: store, FeedsOf: tagsOf, BatchSize: 7, RecheckDelay: recheckDelay,
	}
}

// auditItems are those that the cases damage: x is in a and b, and z is deleted.
func auditItems() []change {
	return append(manyItems(40), state("x", 1, 3, "a", "b"), state("x", 2, 3, "a", "b"), state("y", 1, 4, "b"), tombstone("z", 2, 5))
}

// auditCase is a drift: the database is damaged, or the models are changed apart.
type auditCase struct {
	damage  Damage
	applied []change // to the read model only
	put     []change // into the write model only
	removed string   // from the write model
	kind    readmodel.DriftKind
	item    string
	feed    string
	feeds   []string // that may be empty
	entry   bool     // only for stores with entries
}

func auditCases() map[string]auditCase {
	cases := map[string]auditCase{
		"a version is behind":                        {put: []change{state("x", 3, 3, "a", "c")}, kind: readmodel.DriftVersion, item: "x"},
		"an item is missing":                         {put: []change{state("w", 1, 3, "a", "c")}, kind: readmodel.DriftVersion, item: "w"},
		"a deletion is missing":                      {put: []change{tombstone("x", 3, 3)}, kind: readmodel.DriftVersion, item: "x", feeds: []string{"a"}},
		"a version is ahead of a restored backup":    {applied: []change{state("x", 7, 3, "b", "d")}, kind: readmodel.DriftVersion, item: "x", feeds: []string{"d"}},
		"a deletion is ahead of a restored backup":   {applied: []change{tombstone("x", 7, 3)}, kind: readmodel.DriftVersion, item: "x"},
		"a deleted item that the write model has":    {applied: []change{state("z", 3, 5, "d")}, kind: readmodel.DriftVersion, item: "z", feeds: []string{"d"}},
		"an item that the write model does not know": {removed: "x", kind: readmodel.DriftOrphan, item: "x", feeds: []string{"a"}},
		"a deleted item that it does not know":       {removed: "z", kind: readmodel.DriftOrphan, item: "z"},
		"an item after all that it knows":            {applied: []change{state("zz", 1, 5, "d")}, kind: readmodel.DriftOrphan, item: "zz", feeds: []string{"d"}},
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
	store, from := fixture.Store, newWriteModel(auditItems()...)
	apply(t, store, auditItems()...)
	feedmodel.Require(t, store, from.model("a", "b"))
	if c.damage.Kind != "" {
		fixture.Break(t, c.damage)
	}
	apply(t, store, c.applied...)
	feedmodel.Recount(t, store)
	from.put(c.put...)
	from.remove(c.removed)

	var drifts []readmodel.Drift
	var told announcements
	config := auditConfig(from, store)
	config.Drift = func(d readmodel.Drift) { drifts = append(drifts, d) }
	config.Publisher, config.UpdatesTopic = &told, "feed-updated"
	for _, repair := range []bool{false, true} {
		drifts, config.Repair = nil, repair
		summary, err := readmodel.Audit(t.Context(), config)
		require.NoError(t, err)
		require.Equal(t, int64(len(drifts)), summary.Drifts)
		require.Zero(t, summary.Unsettled)
		c.requireFound(t, drifts, repair)
		if !repair {
			require.Zero(t, summary.Repaired)
			require.Empty(t, told.names())
			continue
		}
		require.Zero(t, summary.Remaining(), "%v", drifts)
	}
	drifts = nil
	summary, err := readmodel.Audit(t.Context(), config)
	require.NoError(t, err)
	require.Empty(t, drifts, "all is repaired")
	require.Positive(t, summary.Items)
	require.Positive(t, summary.Feeds)
	feedmodel.Require(t, store, from.model(c.feeds...))
	if c.item != "z" { // it is in no feed
		require.NotEmpty(t, told.names(), "pages are told")
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
