package sqlitestore_test

import (
	"context"
	"database/sql"
	"strings"
	"testing"

	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/stretchr/testify/require"

	"github.com/feedmill/feedmill/adapters/sqlitestore"
	"github.com/feedmill/feedmill/cqrsfeed"
	"github.com/feedmill/feedmill/cqrsfeed/outbox"
)

// TestErasedBodiesAreInNoTable of the write model, its outbox or the read model, even if an older event comes after the
// erasure.
func TestErasedBodiesAreInNoTable(t *testing.T) {
	t.Parallel()
	db := openDB(t, sqlitestore.DSN(freshPath(t)))
	store, err := sqlitestore.New(db, sqlitestore.Config{})
	require.NoError(t, err)
	notes, err := sqlitestore.NewRepository[string](store, "note")
	require.NoError(t, err)
	feeds, err := sqlitestore.NewFeedStore[string](store, "note")
	require.NoError(t, err)
	require.NoError(t, store.EnsureSchema(t.Context()))
	tagFeeds, err := cqrsfeed.NewTagFeeds(cqrsfeed.TagFeedsConfig[string]{
		Store: feeds, FeedsOf: func(cqrsfeed.Item[string]) []string { return []string{"all"} },
	})
	require.NoError(t, err)
	relay := func() (published []*message.Message) {
		_, err := store.Outbox().Drain(t.Context(), 100, nil, func(_ context.Context, batch []outbox.Message) []outbox.Result {
			results := make([]outbox.Result, len(batch))
			for i, m := range batch {
				published = append(published, m.Message)
				results[i].Outcome = outbox.Published
			}
			return results
		})
		require.NoError(t, err)
		return published
	}

	const secret = "nobody must know"
	_, err = notes.Create(t.Context(), "one", secret)
	require.NoError(t, err)
	created := relay()
	_, err = tagFeeds.Apply(t.Context(), created)
	require.NoError(t, err)
	require.Positive(t, countRowsWith(t, db, secret))
	_, err = notes.Update(t.Context(), "one", func(text *string) error {
		*text += " either"
		return nil
	})
	require.NoError(t, err)
	_, err = notes.Erase(t.Context(), "one")
	require.NoError(t, err)
	_, err = tagFeeds.Apply(t.Context(), relay())
	require.NoError(t, err)
	_, err = tagFeeds.Apply(t.Context(), created) // late
	require.NoError(t, err)
	require.Zero(t, countRowsWith(t, db, secret))
}

// countRowsWith counts the rows of all tables that have a text in some column.
func countRowsWith(t *testing.T, db *sql.DB, text string) int {
	t.Helper()
	rows, err := db.QueryContext(t.Context(), `SELECT t.name, group_concat('instr(coalesce("' || c.name || '", ''''), ?1)', ' OR ')
FROM sqlite_schema AS t JOIN pragma_table_info(t.name) AS c WHERE t.type = 'table' GROUP BY t.name`)
	require.NoError(t, err)
	defer rows.Close()
	conditions := map[string]string{}
	for rows.Next() {
		var table, condition string
		require.NoError(t, rows.Scan(&table, &condition))
		conditions[table] = condition
	}
	require.NoError(t, rows.Err())
	require.Greater(t, len(conditions), 4)
	total := 0
	for table, condition := range conditions {
		var count int
		query := "SELECT count(*) FROM \"" + strings.ReplaceAll(table, `"`, `""`) + "\" WHERE " + condition
		require.NoError(t, db.QueryRowContext(t.Context(), query, text).Scan(&count), query)
		total += count
	}
	return total
}
