package sqlitestore_test

import (
	"database/sql"
	"encoding/json"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/feedmill/feedmill/cqrsfeed/cqrsfeedtest"
	"github.com/feedmill/feedmill/cqrsfeed/cqrsfeedtest/readmodeltest"
	"github.com/feedmill/feedmill/cqrsfeed/readmodel"
)

func TestRebuild(t *testing.T) {
	t.Parallel()
	readmodeltest.TestRebuild(t, func(t *testing.T) readmodel.Store[cqrsfeedtest.Body] {
		t.Helper()
		return openFeedStore(t, openFile(t))
	})
}

func TestAudit(t *testing.T) {
	t.Parallel()
	readmodeltest.TestAudit(t, func(t *testing.T) readmodeltest.AuditFixture {
		t.Helper()
		db := openFile(t)
		return readmodeltest.AuditFixture{
			Store:   openFeedStore(t, db),
			Entries: true,
			Break: func(t *testing.T, damage readmodeltest.Damage) {
				t.Helper()
				breakTables(t, db, damage)
			},
		}
	})
}

func breakTables(t *testing.T, db *sql.DB, damage readmodeltest.Damage) {
	t.Helper()
	if damage.Kind == readmodeltest.ItemFeeds {
		feeds, err := json.Marshal(damage.Feeds)
		require.NoError(t, err)
		_, err = db.ExecContext(t.Context(), "DELETE FROM item_feed_entries WHERE item = ?", damage.Item)
		require.NoError(t, err)
		_, err = db.ExecContext(t.Context(), `INSERT INTO item_feed_entries (feed, created_at, item, n)
			SELECT names.value, i.created_at, i.id, i.n FROM item_feed_items i, json_each(?) names WHERE i.id = ?`, string(feeds), damage.Item)
		require.NoError(t, err)
		return
	}
	damages := map[readmodeltest.DamageKind]struct {
		query string
		args  []any
	}{
		readmodeltest.ItemGone:    {"DELETE FROM item_feed_items WHERE id = ?", []any{damage.Item}},
		readmodeltest.ItemVersion: {"UPDATE item_feed_items SET v = ? WHERE id = ?", []any{damage.Number, damage.Item}},
		readmodeltest.ItemBody:    {`UPDATE item_feed_items SET body = '{"text":"broken"}' WHERE id = ?`, []any{damage.Item}},
		readmodeltest.ItemGarbage: {"UPDATE item_feed_items SET body = 'garbage' WHERE id = ?", []any{damage.Item}},
		readmodeltest.ItemUpdated: {"UPDATE item_feed_items SET updated_at = ? WHERE id = ?", []any{damage.Number, damage.Item}},
		readmodeltest.CountWrong:  {"UPDATE item_feed_feeds SET count = ? WHERE name = ?", []any{damage.Number, damage.Feed}},
		readmodeltest.FeedGone:    {"DELETE FROM item_feed_feeds WHERE name = ?", []any{damage.Feed}},
		readmodeltest.EntryGone:   {"DELETE FROM item_feed_entries WHERE feed = ? AND item = ?", []any{damage.Feed, damage.Item}},
		readmodeltest.EntryStray: {
			"INSERT INTO item_feed_entries (feed, created_at, item, n) SELECT ?, created_at, id, n FROM item_feed_items WHERE id = ?",
			[]any{damage.Feed, damage.Item},
		},
		readmodeltest.EntryMoved: {"UPDATE item_feed_entries SET created_at = ? WHERE feed = ? AND item = ?", []any{damage.Number, damage.Feed, damage.Item}},
	}
	result, err := db.ExecContext(t.Context(), damages[damage.Kind].query, damages[damage.Kind].args...)
	require.NoError(t, err)
	changed, err := result.RowsAffected()
	require.NoError(t, err)
	require.Equal(t, int64(1), changed, "%v", damage)
}
