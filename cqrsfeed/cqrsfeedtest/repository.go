package cqrsfeedtest

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/feedmill/feedmill/cqrsfeed"
	"github.com/feedmill/feedmill/cqrsfeed/outbox"
)

// RepositoryFixture is an empty repository, and the empty outbox that its events go to.
type RepositoryFixture struct {
	Repository cqrsfeed.Repository[Body]
	Outbox     outbox.Outbox
	// Topics are the repository's topics, three different ones.
	Topics cqrsfeed.Topics
}

// TestRepository runs the conformance suite of cqrsfeed.Repository.
func TestRepository(t *testing.T, open func(t *testing.T) RepositoryFixture) {
	t.Helper()
	for _, behaviour := range []struct {
		name string
		test func(t *testing.T, f RepositoryFixture)
	}{
		{"Create stores version 1", testCreate},
		{"Create refuses a taken id", testCreateTaken},
		{"Create of one id at once succeeds once", testCreateRace},
		{"Update stores the next version", testUpdate},
		{"Update gives change a body of its own", testUpdateAliasing},
		{"Update whose change fails stores nothing", testUpdateChangeFails},
		{"Update whose change panics leaves the item usable", testUpdateChangePanics},
		{"Delete leaves a tombstone", testDelete},
		{"Unknown and deleted items are not found", testNotFound},
		{"Invalid ids are refused", testInvalidIDs},
		{"IfVersion guards changes", testConflict},
		{"IfVersion lets one of many through", testConflictRace},
		{"Scan visits all items in byte order", testScan},
		{"Scan limits", testScanLimits},
		{"Bodies and ids come back as they were", testValues},
		{"Huge bodies come back as they were", testHugeBody},
		{"Events go to their topics in order", testEvents},
		{"Events have both states", testUpdatedEvent},
		{"Events carry the trace of their change, and its time", testEventTrace},
		{"Changes of hot items are serial", testHotItems},
		{"Changes wake the relay", testChangesWake},
		{"An ended context changes nothing", testEndedContext},
	} {
		t.Run(behaviour.name, func(t *testing.T) {
			t.Parallel()
			behaviour.test(t, open(t))
		})
	}
}

// setText is a change for Update.
func setText(text string) func(*Body) error {
	return func(body *Body) error {
		body.Text = text
		return nil
	}
}

// mustCreate creates an item with some body.
func (f RepositoryFixture) mustCreate(t *testing.T, id string) cqrsfeed.Item[Body] {
	t.Helper()
	item, err := f.Repository.Create(t.Context(), id, Body{Text: "text of " + id, Tags: []string{"a", "b"}})
	require.NoError(t, err)
	return item
}

// requireUnchanged checks that the item is as it was and that the outbox has no further message.
func (f RepositoryFixture) requireUnchanged(t *testing.T, item cqrsfeed.Item[Body]) {
	t.Helper()
	stored, err := f.Repository.Get(t.Context(), item.ID)
	require.NoError(t, err)
	require.Equal(t, item, stored)
	require.Empty(t, drainAll(t, f.Outbox), "events of a change that failed")
}
