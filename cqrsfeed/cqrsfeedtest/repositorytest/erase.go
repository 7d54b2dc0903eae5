package repositorytest

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/feedmill/feedmill/cqrsfeed"
	"github.com/feedmill/feedmill/cqrsfeed/cqrsfeedtest/internal/model"
	"github.com/feedmill/feedmill/cqrsfeed/cqrsfeedtest/internal/outboxes"
	"github.com/feedmill/feedmill/cqrsfeed/limits"
	"github.com/feedmill/feedmill/cqrsfeed/outbox"
	"github.com/feedmill/feedmill/cqrsfeed/readmodel"
)

const secret = "nobody must know"

// requireErased requires that the repository and the outbox have only the tombstone of the item.
func (f Fixture) requireErased(t *testing.T, erased cqrsfeed.Item[model.Body]) {
	t.Helper()
	require.True(t, erased.Deleted)
	require.Equal(t, model.Body{}, erased.Body)
	_, err := f.Repository.Get(t.Context(), erased.ID)
	require.ErrorIs(t, err, cqrsfeed.ErrNotFound)
	items, err := f.Repository.Scan(t.Context(), "", limits.MaxPageLimit)
	require.NoError(t, err)
	require.Contains(t, items, erased)
	require.Empty(t, outboxes.Parked(t, f.Outbox))
	_, err = f.Repository.Create(t.Context(), erased.ID, model.Body{})
	require.ErrorIs(t, err, cqrsfeed.ErrExists, "the id stays taken")
}

// requireTombstone requires that the outbox has only the ItemDeleted of the tombstone.
func requireTombstone(t *testing.T, f Fixture, erased cqrsfeed.Item[model.Body]) {
	t.Helper()
	events := outboxes.DrainAll(t, f.Outbox)
	require.Len(t, events, 1)
	require.Equal(t, f.Topics.Deleted, events[0].Topic)
	require.Equal(t, "ItemDeleted", events[0].Message.Metadata.Get(cqrsfeed.NameKey))
	require.NotContains(t, string(events[0].Message.Payload), secret)
	item, err := cqrsfeed.DecodeItem[model.Body](events[0].Message)
	require.NoError(t, err)
	require.Equal(t, erased, item)
}

func testErase(t *testing.T, f Fixture) {
	for _, id := range append(oddIDs(), "one") {
		_, err := f.Repository.Create(t.Context(), id, model.Body{Text: secret})
		require.NoError(t, err)
		outboxes.DrainTo(t, f.Outbox, 1, nil, outboxes.RefuseAll) // it is parked
		updated := f.mustUpdate(t, id, setText(secret+" either"))

		erased := f.mustErase(t, id)
		require.Equal(t, updated.Version+1, erased.Version)
		require.Equal(t, updated.CreatedAt, erased.CreatedAt)
		f.requireErased(t, erased)
		again := f.mustErase(t, id)
		require.Equal(t, erased, again)
		requireTombstone(t, f, erased)
		again = f.mustErase(t, id)
		require.Equal(t, erased, again)
		require.Empty(t, outboxes.DrainAll(t, f.Outbox), "nothing is new")
	}
}

func testEraseDeleted(t *testing.T, f Fixture) {
	_, err := f.Repository.Create(t.Context(), "one", model.Body{Text: secret})
	require.NoError(t, err)
	deleted := f.mustDelete(t, "one")
	erased := f.mustErase(t, "one")
	require.Equal(t, deleted.Version+1, erased.Version)
	f.requireErased(t, erased)
	requireTombstone(t, f, erased)
}

func testEraseUnknown(t *testing.T, f Fixture) {
	_, err := f.Repository.Erase(t.Context(), "nobody")
	require.ErrorIs(t, err, cqrsfeed.ErrNotFound)
	_, err = f.Repository.Erase(t.Context(), "")
	require.ErrorIs(t, err, cqrsfeed.ErrInvalid)
}

// testEraseOthers erases one of several items. Another item mentions its id.
func testEraseOthers(t *testing.T, f Fixture) {
	f.mustCreate(t, "one")
	two, err := f.Repository.Create(t.Context(), "two", model.Body{Text: `{"id":"one"}`, Tags: []string{"one"}})
	require.NoError(t, err)
	f.mustCreate(t, "one more")
	erased := f.mustErase(t, "one")
	item := f.mustGet(t, "two")
	require.Equal(t, two, item)
	var ids []string
	for _, event := range outboxes.DrainAll(t, f.Outbox) {
		item, err := cqrsfeed.DecodeItem[model.Body](event.Message)
		require.NoError(t, err)
		ids = append(ids, item.ID)
	}
	require.Equal(t, []string{"two", "one more", erased.ID}, ids)
}

// testEraseWhilePublished erases an item while its event is being published. The event is then kept, parked or published.
func testEraseWhilePublished(t *testing.T, f Fixture) {
	for id, result := range map[string]outbox.Result{"kept": outboxes.Kept(), "parked": outboxes.Refused("too large", 1), "published": outboxes.Published()} {
		_, err := f.Repository.Create(t.Context(), id, model.Body{Text: secret})
		require.NoError(t, err)
		var erased cqrsfeed.Item[model.Body]
		done := make(chan error, 1)
		erase := func() {
			var err error
			erased, err = f.Repository.Erase(t.Context(), id)
			done <- err
		}
		_, err = f.Outbox.Drain(t.Context(), 1, nil, func(ctx context.Context, batch []outbox.Message) []outbox.Result {
			soon, cancel := context.WithTimeout(ctx, 50*time.Millisecond)
			defer cancel()
			_, err := f.Repository.Erase(soon, id)
			require.ErrorIs(t, err, context.DeadlineExceeded, "erased, and published after that")
			go erase()
			assert.Len(t, batch, 1)
			return []outbox.Result{result}
		})
		require.NoError(t, err)
		require.NoError(t, <-done)
		f.requireErased(t, erased)
		requireTombstone(t, f, erased)
	}
}

func testRemoveTombstones(t *testing.T, f Fixture) {
	source, ok := f.Repository.(readmodel.TombstoneSource[model.Body])
	require.True(t, ok)
	live := f.mustCreate(t, "live")
	f.mustCreate(t, "old")
	old := f.mustDelete(t, "old")
	ids := []string{"live", "old", "nobody"}
	removed, err := source.RemoveTombstones(t.Context(), old.UpdatedAt, ids...)
	require.NoError(t, err)
	require.Zero(t, removed, "it is not older")
	removed, err = source.RemoveTombstones(t.Context(), old.UpdatedAt.Add(time.Hour), ids...)
	require.NoError(t, err)
	require.Equal(t, int64(1), removed)
	items, err := f.Repository.Scan(t.Context(), "", 10)
	require.NoError(t, err)
	require.Equal(t, []cqrsfeed.Item[model.Body]{live}, items)
	created, err := f.Repository.Create(t.Context(), "old", model.Body{})
	require.NoError(t, err)
	require.Equal(t, int64(1), created.Version)
	removed, err = source.RemoveTombstones(t.Context(), time.Now())
	require.NoError(t, err)
	require.Zero(t, removed)
}
