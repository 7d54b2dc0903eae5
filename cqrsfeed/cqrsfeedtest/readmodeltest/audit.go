package readmodeltest

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/feedmill/feedmill/cqrsfeed/cqrsfeedtest"
	"github.com/feedmill/feedmill/cqrsfeed/cqrsfeedtest/internal/model"
	"github.com/feedmill/feedmill/cqrsfeed/readmodel"
)

// AuditFixture is an empty store that a test can damage.
type AuditFixture struct {
	Store readmodel.Store[cqrsfeedtest.Body]
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
		"items of another rule are found and moved":    auditByRule,
		"a repair leaves alone what changed meanwhile": auditStale,
		"a repair leaves alone what a rule moved":      auditStaleRule,
		"an unknown item is restated":                  auditUnknown,
		"a withheld item is shown when it is accepted": auditWithheld,
		"a refused item is withheld":                   auditRefused,
		"bodies of other releases are compared":        auditOtherReleases,
		"bodies that the source changed are compared":  auditChangedBodies,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			behaviour(t, open(t))
		})
	}
}

func auditConfig(from *model.WriteModel, store readmodel.Store[model.Body]) readmodel.AuditConfig[model.Body] {
	return readmodel.AuditConfig[model.Body]{
		Source: from, Store: store, FeedsOf: model.TagsOf, BatchSize: 7, RecheckDelay: model.RecheckDelay,
	}
}

func auditCorrect(t *testing.T, fixture AuditFixture) {
	from := model.NewWriteModel(model.ManyItems(1100)...)
	model.Apply(t, fixture.Store, model.ManyItems(1100)...)
	model.Recount(t, fixture.Store)
	config := auditConfig(from, fixture.Store)
	config.BatchSize, config.Repair = 0, true
	config.Drift = func(d readmodel.Drift) { assert.Fail(t, d.String()) }
	summary := model.Audit(t, config)
	require.Equal(t, readmodel.AuditSummary{Items: 1100, Feeds: 8}, summary)
}
