package cqrsfeedtest

import (
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/feedmill/feedmill/cqrsfeed"
)

func testCreate(t *testing.T, f RepositoryFixture) {
	before := time.Now().Truncate(time.Microsecond)
	body := Body{Text: "hello", Tags: []string{"a", "b"}}
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

	stored, err := f.Repository.Get(t.Context(), "one")
	require.NoError(t, err)
	assert.Equal(t, item, stored)
}

func testCreateTaken(t *testing.T, f RepositoryFixture) {
	item := f.mustCreate(t, "one")
	drainAll(t, f.Outbox)
	_, err := f.Repository.Create(t.Context(), "one", Body{Text: "another"})
	require.ErrorIs(t, err, cqrsfeed.ErrExists)
	f.requireUnchanged(t, item)

	_, err = f.Repository.Delete(t.Context(), "one")
	require.NoError(t, err)
	drainAll(t, f.Outbox)
	_, err = f.Repository.Create(t.Context(), "one", Body{Text: "another"})
	require.ErrorIs(t, err, cqrsfeed.ErrExists, "the versions of a deleted item must not begin again")
	require.Empty(t, drainAll(t, f.Outbox))
}

func testCreateRace(t *testing.T, f RepositoryFixture) {
	var created, refused atomic.Int64
	var racers sync.WaitGroup
	for range 16 {
		racers.Go(func() {
			_, err := f.Repository.Create(t.Context(), "one", Body{})
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
	assert.Len(t, drainAll(t, f.Outbox), 1)
}
