package repositorytest

import (
	"sync"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/feedmill/feedmill/cqrsfeed"
	"github.com/feedmill/feedmill/cqrsfeed/cqrsfeedtest/internal/model"
	"github.com/feedmill/feedmill/cqrsfeed/cqrsfeedtest/internal/outboxes"
)

func testConflict(t *testing.T, f Fixture) {
	f.mustCreate(t, "one")
	second := f.mustUpdate(t, "one", setText("second"), cqrsfeed.IfVersion(1))
	outboxes.DrainAll(t, f.Outbox)

	for _, version := range []int64{1, 3} {
		_, err := f.Repository.Update(t.Context(), "one", func(*model.Body) error {
			t.Errorf("change was called although the item has not version %d", version)
			return nil
		}, cqrsfeed.IfVersion(version))
		require.ErrorIs(t, err, cqrsfeed.ErrConflict)
		_, err = f.Repository.Delete(t.Context(), "one", cqrsfeed.IfVersion(version))
		require.ErrorIs(t, err, cqrsfeed.ErrConflict)
		f.requireUnchanged(t, second)
	}

	deleted := f.mustDelete(t, "one", cqrsfeed.IfVersion(2))
	assert.Equal(t, int64(3), deleted.Version)
}

func testConflictRace(t *testing.T, f Fixture) {
	f.mustCreate(t, "one")
	outboxes.DrainAll(t, f.Outbox)
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
	assert.Len(t, outboxes.DrainAll(t, f.Outbox), 1)
}
