package repositorytest

import (
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/feedmill/feedmill/cqrsfeed"
	"github.com/feedmill/feedmill/cqrsfeed/cqrsfeedtest/internal/model"
	"github.com/feedmill/feedmill/cqrsfeed/cqrsfeedtest/internal/outboxes"
	"github.com/feedmill/feedmill/cqrsfeed/limits"
)

func testCreate(t *testing.T, f Fixture) {
	before := time.Now().Truncate(time.Microsecond)
	body := model.Body{Text: "hello", Tags: []string{"a", "b"}}
	item, err := f.Repository.Create(t.Context(), "one", body)
	require.NoError(t, err)

	assert.Equal(t, "one", item.ID)
	assert.Equal(t, int64(1), item.Version)
	assert.Equal(t, body, item.Body)
	assert.False(t, item.Deleted)
	assert.Equal(t, item.CreatedAt, item.UpdatedAt)
	assert.WithinRange(t, item.CreatedAt, before, time.Now())
	assert.Equal(t, time.UTC, item.CreatedAt.Location())
	assert.Equal(t, item.CreatedAt.Truncate(time.Microsecond), item.CreatedAt, "finer than a microsecond")

	assert.Equal(t, item, f.mustGet(t, "one"))
}

func testCreateTaken(t *testing.T, f Fixture) {
	item := f.mustCreate(t, "one")
	outboxes.DrainAll(t, f.Outbox)
	_, err := f.Repository.Create(t.Context(), "one", model.Body{Text: "another"})
	require.ErrorIs(t, err, cqrsfeed.ErrExists)
	f.requireUnchanged(t, item)

	f.mustDelete(t, "one")
	outboxes.DrainAll(t, f.Outbox)
	_, err = f.Repository.Create(t.Context(), "one", model.Body{Text: "another"})
	require.ErrorIs(t, err, cqrsfeed.ErrExists, "the versions of a deleted item must not begin again")
	require.Empty(t, outboxes.DrainAll(t, f.Outbox))
}

func testCreateRace(t *testing.T, f Fixture) {
	var created, refused atomic.Int64
	var racers sync.WaitGroup
	for range 16 {
		racers.Go(func() {
			_, err := f.Repository.Create(t.Context(), "one", model.Body{})
			if err == nil {
				created.Add(1)
			} else if assert.ErrorIs(t, err, cqrsfeed.ErrExists) {
				refused.Add(1)
			}
		})
	}
	racers.Wait()
	assert.Equal(t, int64(1), created.Load())
	assert.Equal(t, int64(15), refused.Load())
	assert.Len(t, outboxes.DrainAll(t, f.Outbox), 1)
}

func testInvalidIDs(t *testing.T, f Fixture) {
	for _, id := range []string{"", strings.Repeat("x", limits.MaxIDLength+1), "a\xff", "a\x00", "a\nb"} {
		_, err := f.Repository.Create(t.Context(), id, model.Body{})
		require.ErrorIs(t, err, cqrsfeed.ErrInvalid, "create %q", id)
		_, err = f.Repository.Update(t.Context(), id, setText("x"))
		require.ErrorIs(t, err, cqrsfeed.ErrInvalid, "update %q", id)
		_, err = f.Repository.Delete(t.Context(), id)
		require.ErrorIs(t, err, cqrsfeed.ErrInvalid, "delete %q", id)
	}
	items, err := f.Repository.Scan(t.Context(), "", 10)
	require.NoError(t, err)
	assert.Empty(t, items)
	assert.Empty(t, outboxes.DrainAll(t, f.Outbox))
}
