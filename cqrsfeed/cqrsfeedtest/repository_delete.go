package cqrsfeedtest

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/feedmill/feedmill/cqrsfeed"
)

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
