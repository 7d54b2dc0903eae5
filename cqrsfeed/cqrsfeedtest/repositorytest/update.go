package repositorytest

import (
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/feedmill/feedmill/cqrsfeed/cqrsfeedtest/internal/model"
	"github.com/feedmill/feedmill/cqrsfeed/cqrsfeedtest/internal/outboxes"
)

func testUpdate(t *testing.T, f Fixture) {
	created := f.mustCreate(t, "one")
	other := f.mustCreate(t, "other")

	updated, err := f.Repository.Update(t.Context(), "one", func(body *model.Body) error {
		assert.Equal(t, created.Body, *body, "change sees the current body")
		body.Text = "new"
		body.Tags = []string{"c"}
		return nil
	})
	require.NoError(t, err)
	assert.Equal(t, "one", updated.ID)
	assert.Equal(t, int64(2), updated.Version)
	assert.Equal(t, model.Body{Text: "new", Tags: []string{"c"}}, updated.Body)
	assert.Equal(t, created.CreatedAt, updated.CreatedAt)
	assert.False(t, updated.UpdatedAt.Before(created.UpdatedAt))
	assert.Equal(t, time.UTC, updated.UpdatedAt.Location())
	assert.Equal(t, updated.UpdatedAt.Truncate(time.Microsecond), updated.UpdatedAt)

	assert.Equal(t, updated, f.mustGet(t, "one"))

	same := f.mustUpdate(t, "one", func(*model.Body) error { return nil })
	assert.Equal(t, int64(3), same.Version, "a change that leaves the body as it is makes a version all the same")

	assert.Equal(t, other, f.mustGet(t, "other"))
}

// testUpdateAliasing changes the body in place, which must not change the original in the event.
func testUpdateAliasing(t *testing.T, f Fixture) {
	created := f.mustCreate(t, "one")
	outboxes.DrainAll(t, f.Outbox)
	_, err := f.Repository.Update(t.Context(), "one", func(body *model.Body) error {
		body.Tags[0] = "changed in place"
		return nil
	})
	require.NoError(t, err)
	event := decodeUpdated(t, outboxes.DrainAll(t, f.Outbox)[0])
	assert.Equal(t, created.Body.Tags, event.Original.Body.Tags)
	assert.Equal(t, []string{"changed in place", "b"}, event.Item.Body.Tags)
}

func testUpdateChangeFails(t *testing.T, f Fixture) {
	item := f.mustCreate(t, "one")
	outboxes.DrainAll(t, f.Outbox)
	refusal := errors.New("not like this")
	calls := 0
	_, err := f.Repository.Update(t.Context(), "one", func(body *model.Body) error {
		calls++
		body.Text = "half done"
		return refusal
	})
	require.ErrorIs(t, err, refusal)
	assert.Equal(t, 1, calls, "a refusal is not retried")
	f.requireUnchanged(t, item)
}

func testUpdateChangePanics(t *testing.T, f Fixture) {
	item := f.mustCreate(t, "one")
	outboxes.DrainAll(t, f.Outbox)
	assert.PanicsWithValue(t, "boom", func() {
		_, _ = f.Repository.Update(t.Context(), "one", func(*model.Body) error { panic("boom") })
	})
	f.requireUnchanged(t, item)
	updated, err := f.Repository.Update(t.Context(), "one", setText("after"))
	require.NoError(t, err, "the item must not stay locked")
	assert.Equal(t, int64(2), updated.Version)
}
