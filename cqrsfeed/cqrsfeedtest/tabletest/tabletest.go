// Package tabletest has the conformance suite of a SQL store's table projections:
//
//	func TestTableProjection(t *testing.T) {
//		tabletest.TestProjection(t, func(t *testing.T) tabletest.Fixture { return openEmpty(t) })
//	}
package tabletest

import (
	"context"
	"database/sql"
	"testing"

	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/stretchr/testify/require"

	"github.com/feedmill/feedmill/cqrsfeed"
	"github.com/feedmill/feedmill/cqrsfeed/cqrsfeedtest"
	"github.com/feedmill/feedmill/cqrsfeed/cqrsfeedtest/internal/model"
	"github.com/feedmill/feedmill/cqrsfeed/projector"
	"github.com/feedmill/feedmill/cqrsfeed/readmodel"
)

// Step is the function that a table projection calls.
type Step = func(ctx context.Context, tx *sql.Tx, before, after *cqrsfeed.Item[cqrsfeedtest.Body]) error

// Projection is what a store's NewTableProjection returns.
type Projection interface {
	projector.Projection
	cqrsfeed.ItemVersions
	Model() readmodel.Store[cqrsfeedtest.Body]
	Clear(ctx context.Context, empty func(ctx context.Context, tx *sql.Tx) error) error
}

// Fixture is an empty database, and a store on it.
type Fixture struct {
	DB *sql.DB
	// New returns a projection of the store by a name, with its schema.
	New func(name string, step Step) Projection
}

// TestProjection tests that a store keeps the contract of its table projections. open is called for every behaviour
// and must return an empty database.
func TestProjection(t *testing.T, open func(t *testing.T) Fixture) {
	for name, behaviour := range map[string]func(*testing.T, fixture){
		"a step has the states before and after":     testStates,
		"repeated and late events change nothing":    testRepeats,
		"a batch makes one step for each item":       testBatch,
		"a step that fails leaves nothing":           testFailure,
		"a step that panics leaves nothing":          testPanic,
		"what cannot be applied is refused":          testRefused,
		"what is set aside is withheld":              testSetAside,
		"workers apply random histories":             testWorkers,
		"withheld versions count for nothing":        testWithheld,
		"projections do not see each other":          testTwo,
		"a rebuild begins with nothing":              testFromNothing,
		"a rebuild in place corrects and completes":  testInPlace,
		"a rebuild beside events":                    testBesideEvents,
		"a rebuild and a repair are announced":       testAnnounced,
		"a rebuild leaves out what a step refuses":   testRebuildRefused,
		"an audit finds and repairs drift":           testAudit,
		"an audit of what is right finds nothing":    testAuditCorrect,
		"an audit tells of what it cannot step from": testUnreadable,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := open(t)
			counts := model.TagCounts{DB: f.DB}
			counts.Create(t)
			behaviour(t, fixture{Fixture: f, counts: counts})
		})
	}
}

// fixture is an empty database with the tables of TagCounts.
type fixture struct {
	Fixture

	counts model.TagCounts
}

// open returns the projection of tag counts.
func (f fixture) open() Projection { return f.New("tag_count", f.counts.Step) }

// eventsOf returns the events of states.
func eventsOf(t *testing.T, states ...model.Change) []*message.Message {
	t.Helper()
	events := make([]*message.Message, len(states))
	for i, s := range states {
		var err error
		switch {
		case s.Item.Deleted:
			events[i], err = cqrsfeed.ItemDeleted[model.Body]{Item: s.Item}.Message()
		case s.Item.Version == 1:
			events[i], err = cqrsfeed.ItemCreated[model.Body]{Item: s.Item}.Message()
		default: // without the original, which a projection must not need
			events[i], err = cqrsfeed.ItemUpdated[model.Body]{Item: s.Item}.Message()
		}
		require.NoError(t, err)
	}
	return events
}

// itemsOf returns the newest states of items.
func itemsOf(states ...model.Change) []cqrsfeed.Item[model.Body] {
	return model.NewWriteModel(states...).Items()
}

// applyEvents applies a batch that has to succeed.
func applyEvents(t *testing.T, p projector.Projection, states ...model.Change) {
	t.Helper()
	updates, err := p.Apply(t.Context(), eventsOf(t, states...))
	require.NoError(t, err)
	require.Empty(t, updates)
}
