package cqrsfeedtest

import (
	"errors"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/feedmill/feedmill/cqrsfeed"
)

func testUpdate(t *testing.T, f RepositoryFixture) {
	created := f.mustCreate(t, "one")
	other := f.mustCreate(t, "other")

	updated, err := f.Repository.Update(t.Context(), "one", func(body *Body) error {
		assert.Equal(t, created.Body, *body, "change sees the current body")
		body.Text = "new"
		body.Tags = []string{"c"}
		return nil
	})
	require.NoError(t, err)
	assert.Equal(t, "one", updated.ID)
	assert.Equal(t, int64(2), updated.Version)
	assert.Equal(t, Body{Text: "new", Tags: []string{"c"}}, updated.Body)
	assert.Equal(t, created.CreatedAt, updated.CreatedAt)
	assert.False(t, updated.UpdatedAt.Before(created.UpdatedAt))
	assert.Equal(t, time.UTC, updated.UpdatedAt.Location())
	assert.Equal(t, updated.UpdatedAt.Truncate(time.Microsecond), updated.UpdatedAt)

	stored, err := f.Repository.Get(t.Context(), "one")
	require.NoError(t, err)
	assert.Equal(t, updated, stored)

	same, err := f.Repository.Update(t.Context(), "one", func(*Body) error { return nil })
	require.NoError(t, err)
	assert.Equal(t, int64(3), same.Version, "a change that leaves the body as it is makes a version all the same")

	stored, err = f.Repository.Get(t.Context(), "other")
	require.NoError(t, err)
	assert.Equal(t, other, stored)
}

// testUpdateAliasing changes the body in place, which must not change the original in the event.
func testUpdateAliasing(t *testing.T, f RepositoryFixture) {
	created := f.mustCreate(t, "one")
	drainAll(t, f.Outbox)
	_, err := f.Repository.Update(t.Context(), "one", func(body *Body) error {
		body.Tags[0] = "changed in place"
		return nil
	})
	require.NoError(t, err)
	event := decodeUpdated(t, drainAll(t, f.Outbox)[0])
	assert.Equal(t, created.Body.Tags, event.Original.Body.Tags)
	assert.Equal(t, []string{"changed in place", "b"}, event.Item.Body.Tags)
}

func testUpdateChangeFails(t *testing.T, f RepositoryFixture) {
	item := f.mustCreate(t, "one")
	drainAll(t, f.Outbox)
	refusal := errors.New("not like this")
	calls := 0
	_, err := f.Repository.Update(t.Context(), "one", func(body *Body) error {
		calls++
		body.Text = "half done"
		return refusal
	})
	require.ErrorIs(t, err, refusal)
	assert.Equal(t, 1, calls, "a refusal is not retried")
	f.requireUnchanged(t, item)
}

func testUpdateChangePanics(t *testing.T, f RepositoryFixture) {
	item := f.mustCreate(t, "one")
	drainAll(t, f.Outbox)
	assert.PanicsWithValue(t, "boom", func() {
		_, _ = f.Repository.Update(t.Context(), "one", func(*Body) error { panic("boom") })
	})
	f.requireUnchanged(t, item)
	updated, err := f.Repository.Update(t.Context(), "one", setText("after"))
	require.NoError(t, err, "the item must not stay locked")
	assert.Equal(t, int64(2), updated.Version)
}

func testDelete(t *testing.T, f RepositoryFixture) {
	created := f.mustCreate(t, "one")
	deleted, err := f.Repository.Delete(t.Context(), "one")
	require.NoError(t, err)
	assert.Equal(t, "one", deleted.ID)
	assert.Equal(t, int64(2), deleted.Version)
	assert.True(t, deleted.Deleted)
	assert.Equal(t, created.Body, deleted.Body, "a tombstone has what the item held last")
	assert.Equal(t, created.CreatedAt, deleted.CreatedAt)
	assert.False(t, deleted.UpdatedAt.Before(created.UpdatedAt))

	items, err := f.Repository.Scan(t.Context(), "", 10)
	require.NoError(t, err)
	assert.Equal(t, []cqrsfeed.Item[Body]{deleted}, items)
}

func testNotFound(t *testing.T, f RepositoryFixture) {
	f.mustCreate(t, "deleted")
	_, err := f.Repository.Delete(t.Context(), "deleted")
	require.NoError(t, err)
	drainAll(t, f.Outbox)

	for _, id := range []string{"unknown", "deleted"} {
		_, err = f.Repository.Get(t.Context(), id)
		require.ErrorIs(t, err, cqrsfeed.ErrNotFound, "get %s", id)
		_, err = f.Repository.Update(t.Context(), id, func(*Body) error {
			t.Errorf("change was called for the %s item", id)
			return nil
		})
		require.ErrorIs(t, err, cqrsfeed.ErrNotFound, "update %s", id)
		_, err = f.Repository.Update(t.Context(), id, setText("x"), cqrsfeed.IfVersion(1))
		require.ErrorIs(t, err, cqrsfeed.ErrNotFound, "update %s with a condition", id)
		_, err = f.Repository.Delete(t.Context(), id)
		require.ErrorIs(t, err, cqrsfeed.ErrNotFound, "delete %s", id)
	}
	assert.Empty(t, drainAll(t, f.Outbox))
}

func testInvalidIDs(t *testing.T, f RepositoryFixture) {
	for _, id := range []string{"", strings.Repeat("x", cqrsfeed.MaxIDLength+1), "a\xff", "a\x00", "a\nb"} {
		_, err := f.Repository.Create(t.Context(), id, Body{})
		require.ErrorIs(t, err, cqrsfeed.ErrInvalid, "create %q", id)
		_, err = f.Repository.Update(t.Context(), id, setText("x"))
		require.ErrorIs(t, err, cqrsfeed.ErrInvalid, "update %q", id)
		_, err = f.Repository.Delete(t.Context(), id)
		require.ErrorIs(t, err, cqrsfeed.ErrInvalid, "delete %q", id)
	}
	items, err := f.Repository.Scan(t.Context(), "", 10)
	require.NoError(t, err)
	assert.Empty(t, items)
	assert.Empty(t, drainAll(t, f.Outbox))
}

func testConflict(t *testing.T, f RepositoryFixture) {
	f.mustCreate(t, "one")
	second, err := f.Repository.Update(t.Context(), "one", setText("second"), cqrsfeed.IfVersion(1))
	require.NoError(t, err)
	drainAll(t, f.Outbox)

	for _, version := range []int64{1, 3} {
		_, err = f.Repository.Update(t.Context(), "one", func(*Body) error {
			t.Errorf("change was called although the item has not version %d", version)
			return nil
		}, cqrsfeed.IfVersion(version))
		require.ErrorIs(t, err, cqrsfeed.ErrConflict)
		_, err = f.Repository.Delete(t.Context(), "one", cqrsfeed.IfVersion(version))
		require.ErrorIs(t, err, cqrsfeed.ErrConflict)
		f.requireUnchanged(t, second)
	}

	deleted, err := f.Repository.Delete(t.Context(), "one", cqrsfeed.IfVersion(2))
	require.NoError(t, err)
	assert.Equal(t, int64(3), deleted.Version)
}

func testConflictRace(t *testing.T, f RepositoryFixture) {
	f.mustCreate(t, "one")
	drainAll(t, f.Outbox)
	var done atomic.Int64
	var racers sync.WaitGroup
	for range 16 {
		racers.Go(func() {
			_, err := f.Repository.Update(t.Context(), "one", setText("mine"), cqrsfeed.IfVersion(1))
			if err == nil {
				done.Add(1)
			} else {
				assert.ErrorIs(t, err, cqrsfeed.ErrConflict)
			}
		})
	}
	racers.Wait()
	assert.Equal(t, int64(1), done.Load())
	assert.Len(t, drainAll(t, f.Outbox), 1)
}
