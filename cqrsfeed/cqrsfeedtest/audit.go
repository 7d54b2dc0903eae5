package cqrsfeedtest

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/feedmill/feedmill/cqrsfeed"
	"github.com/feedmill/feedmill/cqrsfeed/readmodel"
)

// AuditFixture is a store and a way to break what it has.
type AuditFixture struct {
	Store cqrsfeed.FeedStore[Body]
	// Break does damage in the database, behind the store's back.
	Break func(t *testing.T, damage Damage)
}

// Damage is what somebody did to a database.
type Damage struct {
	Kind DamageKind
	// Place is that of the entry that is meant. Of a record only its ID counts, of a feed only its Feed.
	Place readmodel.Place
	// Number is a version or a count, as the kind says.
	Number int64
	// Feeds are the feeds that a record is to name.
	Feeds []string
}

// DamageKind is a way to break a store.
type DamageKind string

// The kinds of damage.
const (
	// EntryGone deletes the entry at Place.
	EntryGone DamageKind = "an entry is gone"
	// EntryBody puts other JSON into the entry at Place.
	EntryBody DamageKind = "an entry has another body"
	// EntryGarbage puts something that is no JSON there.
	EntryGarbage DamageKind = "an entry has no JSON"
	// EntryVersion gives the entry at Place the version Number.
	EntryVersion DamageKind = "an entry has another version"
	// EntryStray makes an entry of version Number at Place.
	EntryStray DamageKind = "an entry too many"
	// RecordGone deletes the record of an item.
	RecordGone DamageKind = "a record is gone"
	// RecordVersion gives the record of an item the version Number, as applied.
	RecordVersion DamageKind = "a record has another version"
	// RecordFeeds has the record of an item name Feeds, at the time of Place.
	RecordFeeds DamageKind = "a record has other feeds"
	// CountWrong gives the feed the count Number.
	CountWrong DamageKind = "a count is wrong"
	// FeedGone deletes what is known of the feed apart from its entries.
	FeedGone DamageKind = "a feed's count is gone"
)

// TestAudit proves that a store can be compared with a write model, and healed. It has to be a
// readmodel.Inspector and a readmodel.Repairer. open is called for every behaviour and has to return
// an empty store.
func TestAudit(t *testing.T, open func(t *testing.T) AuditFixture) {
	for name, c := range auditCases() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c.run(t, open(t))
		})
	}
	for name, behaviour := range map[string]func(*testing.T, AuditFixture){
		"a right store has no drift":         auditRight,
		"an event under way is no drift":     auditUnderWay,
		"an item that always changes":        auditUnsettled,
		"all at once, while events flow":     auditBesideEvents,
		"another FeedsOf is healed in place": auditOtherFeeds,
		"what was applied meanwhile stays":   auditStale,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			behaviour(t, open(t))
		})
	}
}

// auditMoment is short: nothing is under way but what a test sends.
const auditMoment = 20 * time.Millisecond

func auditConfig(from *writeModel, store cqrsfeed.FeedStore[Body]) readmodel.AuditConfig[Body] {
	return readmodel.AuditConfig[Body]{
		Repository: from, Store: store, FeedsOf: tagsOf, BatchSize: 7, Moment: auditMoment,
	}
}

// auditItems are those that the cases damage: x is in a and b, and z is deleted.
func auditItems() []change {
	return append(manyItems(40), state("x", 1, 3, "a", "b"), state("x", 2, 3, "a", "b"), state("y", 1, 4, "b"), tombstone("z", 2, 5))
}

func placeOf(id string, minutes int, feed string) readmodel.Place {
	return readmodel.Place{Feed: feed, CreatedAt: state(id, 1, minutes).Item.CreatedAt, ID: id}
}

// auditCase is a drift: damage is done to the database, or states get out of step.
type auditCase struct {
	damage  []Damage
	applied []change // to the store only
	put     []change // into the write model only
	removed string   // from the write model
	kind    readmodel.DriftKind
	item    string
	feed    string
	feeds   []string // that may be empty
}

func auditCases() map[string]auditCase {
	xInA := placeOf("x", 3, "a")
	cases := map[string]auditCase{
		"a version is behind":                        {put: []change{state("x", 3, 3, "a", "c")}, kind: readmodel.DriftVersion, item: "x"},
		"an item is missing":                         {put: []change{state("w", 1, 3, "a", "c")}, kind: readmodel.DriftVersion, item: "w"},
		"a deletion is missing":                      {put: []change{tombstone("x", 3, 3)}, kind: readmodel.DriftVersion, item: "x", feeds: []string{"a"}},
		"a version is ahead of a restored backup":    {applied: []change{state("x", 7, 3, "b", "d")}, kind: readmodel.DriftVersion, item: "x", feeds: []string{"d"}},
		"a deletion is ahead of a restored backup":   {applied: []change{tombstone("x", 7, 3)}, kind: readmodel.DriftVersion, item: "x"},
		"a deleted item that the write model has":    {applied: []change{state("z", 3, 5, "d")}, kind: readmodel.DriftVersion, item: "z", feeds: []string{"d"}},
		"an item that the write model does not know": {removed: "x", kind: readmodel.DriftOrphan, item: "x", feeds: []string{"a"}},
		"a deleted item that it does not know":       {removed: "z", kind: readmodel.DriftOrphan, item: "z"},
		"an item behind all that it knows":           {applied: []change{state("zz", 1, 5, "d")}, kind: readmodel.DriftOrphan, item: "zz", feeds: []string{"d"}},
	}
	for _, c := range []auditCase{
		{damage: []Damage{{Kind: EntryGone, Place: xInA}}, kind: readmodel.DriftEntry, item: "x", feed: "a"},
		{damage: []Damage{{Kind: EntryBody, Place: xInA}}, kind: readmodel.DriftEntry, item: "x", feed: "a"},
		{damage: []Damage{{Kind: EntryGarbage, Place: xInA}}, kind: readmodel.DriftEntry, item: "x", feed: "a"},
		{damage: []Damage{{Kind: EntryVersion, Place: xInA, Number: 1}}, kind: readmodel.DriftEntry, item: "x", feed: "a"},
		{damage: []Damage{{Kind: EntryVersion, Place: xInA, Number: 9}}, kind: readmodel.DriftEntry, item: "x", feed: "a"},
		{damage: []Damage{{Kind: EntryStray, Place: placeOf("x", 3, "d"), Number: 2}}, kind: readmodel.DriftStray, item: "x", feed: "d", feeds: []string{"d"}},
		{damage: []Damage{{Kind: EntryStray, Place: placeOf("z", 5, "d"), Number: 1}}, kind: readmodel.DriftStray, item: "z", feed: "d", feeds: []string{"d"}},
		{damage: []Damage{{Kind: EntryStray, Place: placeOf("nobody", 5, "b"), Number: 1}}, kind: readmodel.DriftStray, item: "nobody", feed: "b"},
		{damage: []Damage{{Kind: EntryStray, Place: placeOf("x", 9, "a"), Number: 2}}, kind: readmodel.DriftStray, item: "x", feed: "a"},
		{damage: []Damage{{Kind: RecordGone, Place: xInA}}, kind: readmodel.DriftVersion, item: "x"},
		{damage: []Damage{{Kind: RecordGone, Place: xInA}, {Kind: EntryBody, Place: xInA}}, kind: readmodel.DriftVersion, item: "x"},
		{damage: []Damage{{Kind: RecordVersion, Place: xInA, Number: 1}}, kind: readmodel.DriftVersion, item: "x"},
		{damage: []Damage{{Kind: RecordVersion, Place: xInA, Number: 9}}, kind: readmodel.DriftVersion, item: "x"},
		{damage: []Damage{{Kind: RecordFeeds, Place: xInA, Feeds: []string{"b", "d"}}}, kind: readmodel.DriftFeeds, item: "x", feeds: []string{"d"}},
		{damage: []Damage{{Kind: CountWrong, Place: xInA, Number: 5}}, kind: readmodel.DriftCount, feed: "a"},
		{damage: []Damage{{Kind: CountWrong, Place: xInA, Number: 0}}, kind: readmodel.DriftCount, feed: "a"},
		{damage: []Damage{{Kind: FeedGone, Place: xInA}}, kind: readmodel.DriftCount, feed: "a"},
	} {
		name := fmt.Sprintf("%s %s%s %d", c.damage[0].Kind, c.item, c.feed, c.damage[0].Number)
		if len(c.damage) > 1 {
			name += " and " + string(c.damage[1].Kind)
		}
		cases[name] = c
	}
	return cases
}

func (c auditCase) run(t *testing.T, fixture AuditFixture) {
	store, from := fixture.Store, newWriteModel(auditItems()...)
	apply(t, store, auditItems()...)
	requireModel(t, store, from.model("a", "b"))
	for _, damage := range c.damage {
		fixture.Break(t, damage)
	}
	apply(t, store, c.applied...)
	settle(t, store)
	from.put(c.put...)
	from.remove(c.removed)

	var drifts []readmodel.Drift
	var told announcements
	config := auditConfig(from, store)
	config.Drift = func(d readmodel.Drift) { drifts = append(drifts, d) }
	config.Publisher, config.UpdatesTopic = &told, "feed-updated"
	for _, heal := range []bool{false, true} {
		drifts, config.Heal = nil, heal
		summary, err := readmodel.Audit(t.Context(), config)
		require.NoError(t, err)
		require.Equal(t, int64(len(drifts)), summary.Drifts)
		require.Zero(t, summary.Unsettled)
		c.requireFound(t, drifts, heal)
		if !heal {
			require.Zero(t, summary.Healed)
			require.Empty(t, told.names())
			continue
		}
		require.Zero(t, summary.Remaining(), "%v", drifts)
	}
	drifts = nil
	summary, err := readmodel.Audit(t.Context(), config)
	require.NoError(t, err)
	require.Empty(t, drifts, "all is healed")
	require.Positive(t, summary.Items)
	require.Positive(t, summary.Entries)
	require.Positive(t, summary.Feeds)
	requireModel(t, store, from.model(c.feeds...))
	if c.item != "z" { // it is in no feed
		require.NotEmpty(t, told.names(), "pages are told")
	}
}

// requireFound looks for the drift that was made. With it come those of the same item, and the counts of
// its feeds.
func (c auditCase) requireFound(t *testing.T, drifts []readmodel.Drift, healed bool) {
	found := false
	for _, d := range drifts {
		t.Log(d)
		require.Equal(t, healed, d.Healed)
		require.NotEmpty(t, d.Want)
		require.NotEmpty(t, d.Got)
		require.Contains(t, []string{c.item, ""}, d.Item, "%v is no drift", d)
		found = found || d.Kind == c.kind && d.Item == c.item && d.Feed == c.feed
	}
	require.True(t, found, "%s of item %q in feed %q is not among %v", c.kind, c.item, c.feed, drifts)
}

// settle lets a store that counts later count.
func settle(t *testing.T, store cqrsfeed.FeedStore[Body]) {
	if recounter, ok := store.(cqrsfeed.Recounter); ok {
		_, err := recounter.Recount(t.Context())
		require.NoError(t, err)
	}
}
