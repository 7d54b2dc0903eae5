package mysqlstore_test

import (
	"fmt"
	"iter"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/feedmill/feedmill/cqrsfeed"
	"github.com/feedmill/feedmill/cqrsfeed/cqrsfeedtest"
)

// imported returns items with the ids, which are also their texts.
func imported(ids ...string) iter.Seq2[cqrsfeed.Item[cqrsfeedtest.Body], error] {
	return func(yield func(cqrsfeed.Item[cqrsfeedtest.Body], error) bool) {
		for _, id := range ids {
			item := cqrsfeed.Item[cqrsfeedtest.Body]{ID: id, Body: cqrsfeedtest.Body{Text: id}, CreatedAt: time.Unix(1, 0)}
			if !yield(item, nil) {
				return
			}
		}
	}
}

// TestImportEndsAtWhatTheTableRefuses: only items whose ids are taken are passed.
func TestImportEndsAtWhatTheTableRefuses(t *testing.T) {
	t.Parallel()
	onEachServer(t, func(t *testing.T, s server) {
		t.Helper()
		for constraint, c := range map[string]struct{ schema, id string }{
			"no_bad":    {"ADD CONSTRAINT no_bad CHECK (body NOT LIKE '%bad%')", "bad"},
			"one_a_day": {"ADD CONSTRAINT one_a_day UNIQUE (created_at)", "good"},
		} {
			db := openDB(t, s.fresh(t))
			repository, _ := openRepository(t, db)
			_, err := repository.Create(t.Context(), "one", cqrsfeedtest.Body{})
			require.NoError(t, err)
			_, err = db.ExecContext(t.Context(), "ALTER TABLE item "+c.schema)
			require.NoError(t, err)
			summary, err := repository.Import(t.Context(), imported("one", "two", c.id), nil)
			require.ErrorContains(t, err, constraint)
			assert.Zero(t, summary)
			summary, err = repository.Import(t.Context(), imported("one", "two", "two"), nil)
			require.NoError(t, err)
			assert.Equal(t, cqrsfeed.ImportSummary{Stored: 1, Passed: 2}, summary)
		}
	})
}

// TestImportsOfTheSameItems at the same time store each of them once.
func TestImportsOfTheSameItems(t *testing.T) {
	t.Parallel()
	var ids []string
	for i := range 2000 {
		ids = append(ids, fmt.Sprintf("item-%04d", i))
	}
	onEachServer(t, func(t *testing.T, s server) {
		t.Helper()
		repository, _ := openRepository(t, openDB(t, s.fresh(t)))
		var stored, passed atomic.Int64
		var running sync.WaitGroup
		for from := range 3 { // their batches overlap
			running.Go(func() {
				summary, err := repository.Import(t.Context(), imported(ids[100*from:]...), nil)
				if assert.NoError(t, err) {
					stored.Add(summary.Stored)
					passed.Add(summary.Passed)
				}
			})
		}
		running.Wait()
		assert.Equal(t, int64(2000), stored.Load())
		assert.Equal(t, int64(1900+1800), passed.Load())
	})
}
