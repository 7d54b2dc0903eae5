package repositorytest

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/feedmill/feedmill/cqrsfeed"
	"github.com/feedmill/feedmill/cqrsfeed/cqrsfeedtest/internal/model"
	"github.com/feedmill/feedmill/cqrsfeed/cqrsfeedtest/internal/outboxes"
)

func testDelete(t *testing.T, f Fixture) {
	created := f.mustCreate(t, "one")
	deleted := f.mustDelete(t, "one")
	assert.Equal(t, "one", deleted.ID)
	assert.Equal(t, int64(2), deleted.Version)
	assert.True(t, deleted.Deleted)
	assert.Equal(t, created.Body, deleted.Body, "a tombstone has what the item held last")
	assert.Equal(t, created.CreatedAt, deleted.CreatedAt)
	assert.False(t, deleted.UpdatedAt.Before(created.UpdatedAt))

	items, err := f.Repository.Scan(t.Context(), "", 10)
	require.NoError(t, err)
	assert.Equal(t, []cqrsfeed.Item[model.Body]{deleted}, items)
}

func testNotFound(t *testing.T, f Fixture) {
	f.mustCreate(t, "deleted")
	f.mustDelete(t, "deleted")
	outboxes.DrainAll(t, f.Outbox)

	for _, id := range []string{"unknown", "deleted"} {
		_, err := f.Repository.Get(t.Context(), id)
		require.ErrorIs(t, err, cqrsfeed.ErrNotFound, "get %s", id)
		_, err = f.Repository.Update(t.Context(), id, func(*model.Body) error {
			t.Errorf("change was called for the %s item", id)
			return nil
		})
		require.ErrorIs(t, err, cqrsfeed.ErrNotFound, "update %s", id)
		_, err = f.Repository.Update(t.Context(), id, setText("x"), cqrsfeed.IfVersion(1))
		require.ErrorIs(t, err, cqrsfeed.ErrNotFound, "update %s with a condition", id)
		_, err = f.Repository.Delete(t.Context(), id)
		require.ErrorIs(t, err, cqrsfeed.ErrNotFound, "delete %s", id)
	}
	assert.Empty(t, outboxes.DrainAll(t, f.Outbox))
}
