// Package repositorytest has the conformance suite of cqrsfeed.Repository and cqrsfeed.Importer:
//
//	func TestRepository(t *testing.T) {
//		repositorytest.TestRepository(t, func(t *testing.T) repositorytest.Fixture { return openEmpty(t) })
//	}
package repositorytest

import (
	"context"
	"encoding/json"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/feedmill/feedmill/cqrsfeed"
	"github.com/feedmill/feedmill/cqrsfeed/cqrsfeedtest"
	"github.com/feedmill/feedmill/cqrsfeed/cqrsfeedtest/internal/model"
	"github.com/feedmill/feedmill/cqrsfeed/cqrsfeedtest/internal/outboxes"
	"github.com/feedmill/feedmill/cqrsfeed/outbox"
)

// Fixture is an empty repository, and the empty outbox that its events go to.
type Fixture struct {
	Repository cqrsfeed.Repository[cqrsfeedtest.Body]
	// Raw is another repository of the same table, in a release of the application that has another type of body.
	Raw    cqrsfeed.Repository[json.RawMessage]
	Outbox outbox.Outbox
	// Topics are the repository's topics, three different ones.
	Topics cqrsfeed.Topics
}

// TestRepository runs the conformance suite of cqrsfeed.Repository, and of cqrsfeed.Importer.
func TestRepository(t *testing.T, open func(t *testing.T) Fixture) {
	t.Helper()
	for _, behaviour := range []struct {
		name string
		test func(t *testing.T, f Fixture)
	}{
		{"Create stores version 1", testCreate},
		{"Create refuses a taken id", testCreateTaken},
		{"Create of one id at once succeeds once", testCreateRace},
		{"Update stores the next version", testUpdate},
		{"Update gives change a body of its own", testUpdateAliasing},
		{"Update whose change fails stores nothing", testUpdateChangeFails},
		{"Update whose change panics leaves the item usable", testUpdateChangePanics},
		{"Delete leaves a tombstone", testDelete},
		{"Erase leaves a tombstone without a body", testErase},
		{"Erase takes the body of a deleted item", testEraseDeleted},
		{"Erase does not find unknown items", testEraseUnknown},
		{"Erase leaves other items alone", testEraseOthers},
		{"Erase waits for what is being published", testEraseWhilePublished},
		{"Old tombstones are removed", testRemoveTombstones},
		{"Unknown and deleted items are not found", testNotFound},
		{"Invalid ids are refused", testInvalidIDs},
		{"IfVersion guards changes", testConflict},
		{"IfVersion lets one of many through", testConflictRace},
		{"Scan visits all items in byte order", testScan},
		{"Scan limits", testScanLimits},
		{"Scan is bounded in bytes", testScanBytes},
		{"Bodies and ids come back as they were", testValues},
		{"Large bodies come back as they were", testLargeBody},
		{"Events that are too large are refused at the write", testTooLarge},
		{"What was accepted can be deleted", testDeleteLargest},
		{"Bodies that cannot be encoded are refused", testUnencodable},
		{"Update keeps what it does not know or change", testUpdateKeeps},
		{"Events have bodies as they were written", testEventsKeep},
		{"Bodies that cannot be decoded are reported and can be deleted", testUndecodable},
		{"Events go to their topics in order", testEvents},
		{"Events have both states", testUpdatedEvent},
		{"Events carry the trace of their change, and its time", testEventTrace},
		{"Import stores items as they were", testImport},
		{"Import keeps bodies as they were written", testImportKeeps},
		{"Import goes on where it was stopped", testImportAgain},
		{"Import leaves deleted items deleted", testImportDeleted},
		{"Import reports what it refuses", testImportRefuses},
		{"Imports at once store each item once", testImportRace},
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

// setText returns a change for Update.
func setText(text string) func(*model.Body) error {
	return func(body *model.Body) error {
		body.Text = text
		return nil
	}
}

// mustCreate creates an item with some body.
func (f Fixture) mustCreate(t *testing.T, id string) cqrsfeed.Item[model.Body] {
	t.Helper()
	item, err := f.Repository.Create(t.Context(), id, model.Body{Text: "text of " + id, Tags: []string{"a", "b"}})
	require.NoError(t, err)
	return item
}

func (f Fixture) mustGet(t *testing.T, id string) cqrsfeed.Item[model.Body] {
	t.Helper()
	item, err := f.Repository.Get(t.Context(), id)
	require.NoError(t, err)
	return item
}

func (f Fixture) mustUpdate(t *testing.T, id string, change func(*model.Body) error, options ...cqrsfeed.ChangeOption) cqrsfeed.Item[model.Body] {
	t.Helper()
	item, err := f.Repository.Update(t.Context(), id, change, options...)
	require.NoError(t, err)
	return item
}

func (f Fixture) mustDelete(t *testing.T, id string, options ...cqrsfeed.ChangeOption) cqrsfeed.Item[model.Body] {
	t.Helper()
	item, err := f.Repository.Delete(t.Context(), id, options...)
	require.NoError(t, err)
	return item
}

func (f Fixture) mustErase(t *testing.T, id string) cqrsfeed.Item[model.Body] {
	t.Helper()
	item, err := f.Repository.Erase(t.Context(), id)
	require.NoError(t, err)
	return item
}

// requireUnchanged requires that the item is unchanged and that the outbox has no message.
func (f Fixture) requireUnchanged(t *testing.T, item cqrsfeed.Item[model.Body]) {
	t.Helper()
	require.Equal(t, item, f.mustGet(t, item.ID))
	require.Empty(t, outboxes.DrainAll(t, f.Outbox), "events of a change that failed")
}

func testEndedContext(t *testing.T, f Fixture) {
	item := f.mustCreate(t, "one")
	outboxes.DrainAll(t, f.Outbox)
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := f.Repository.Create(ended, "two", model.Body{})
	require.ErrorIs(t, err, context.Canceled)
	_, err = f.Repository.Update(ended, "one", setText("new"))
	require.ErrorIs(t, err, context.Canceled)
	_, err = f.Repository.Delete(ended, "one")
	require.ErrorIs(t, err, context.Canceled)
	_, err = f.Repository.Get(ended, "one")
	require.ErrorIs(t, err, context.Canceled)
	_, err = f.Repository.Scan(ended, "", 1)
	require.ErrorIs(t, err, context.Canceled)
	f.requireUnchanged(t, item)

	during, cancel := context.WithCancel(t.Context())
	_, err = f.Repository.Update(during, "one", func(body *model.Body) error {
		body.Text = "new"
		cancel()
		return nil
	})
	require.ErrorIs(t, err, context.Canceled)
	f.requireUnchanged(t, item)
}
