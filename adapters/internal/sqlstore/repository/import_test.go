package repository_test

import (
	"errors"
	"iter"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/feedmill/feedmill/adapters/internal/sqlstore/sqlstoretest"
	"github.com/feedmill/feedmill/cqrsfeed"
)

// imported returns items with the ids, which are also their bodies.
func imported(ids ...string) iter.Seq2[cqrsfeed.Item[string], error] {
	return func(yield func(cqrsfeed.Item[string], error) bool) {
		for _, id := range ids {
			if !yield(cqrsfeed.Item[string]{ID: id, Body: id, CreatedAt: time.Unix(1, 0)}, nil) {
				return
			}
		}
	}
}

// TestImportEndsAtWhatTheTableRefuses: only items whose ids are taken are passed.
func TestImportEndsAtWhatTheTableRefuses(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ schema, id, problem string }{
		"check": {
			"ALTER TABLE item ADD COLUMN text GENERATED ALWAYS AS (body) CONSTRAINT no_bad CHECK (text <> '\"bad\"')", "bad", "no_bad",
		},
		"another key": {"CREATE UNIQUE INDEX times ON item (created_at)", "two", "item.created_at"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := sqlstoretest.Open(t)
			_, err := f.DB.ExecContext(t.Context(), c.schema)
			require.NoError(t, err)
			summary, err := f.Repository.Import(t.Context(), imported("one", "three", c.id), nil)
			require.ErrorContains(t, err, c.problem)
			assert.Zero(t, summary)
			summary, err = f.Repository.Import(t.Context(), imported("one", "three", "three"), nil)
			require.NoError(t, err)
			assert.Equal(t, cqrsfeed.ImportSummary{Stored: 1, Passed: 2}, summary)
		})
	}
}

// TestImportMeetsACreation that takes an id after the import has looked for it.
func TestImportMeetsACreation(t *testing.T) {
	t.Parallel()
	f := sqlstoretest.Open(t)
	inserts, begins := 0, 0
	f.Faults.Decide(func(statement string, execute func() error) error {
		switch {
		case strings.HasPrefix(statement, "INSERT INTO item "):
			if inserts++; inserts == 1 {
				return errors.New("UNIQUE constraint failed: item.id")
			}
		case strings.HasPrefix(statement, "BEGIN"):
			if begins++; begins == 2 {
				const create = "INSERT INTO item SELECT 'two', version, body, created_at, updated_at, deleted FROM item"
				if _, err := f.DB.ExecContext(t.Context(), create); err != nil {
					return err
				}
			}
		}
		return execute()
	})
	summary, err := f.Repository.Import(t.Context(), imported("one", "two", "three"), nil)
	require.NoError(t, err)
	assert.Equal(t, cqrsfeed.ImportSummary{Stored: 1, Passed: 2}, summary)
}
