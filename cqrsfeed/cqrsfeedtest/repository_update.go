package cqrsfeedtest

import (
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
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

// testUpdateAliasing changes the body in place, which must not reach what the event says of the original.
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
