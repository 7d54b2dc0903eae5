package sqlitestore_test

import (
	"database/sql"
	"encoding/json"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/feedmill/feedmill/cqrsfeed"
	"github.com/feedmill/feedmill/cqrsfeed/cqrsfeedtest"
)

func TestRebuild(t *testing.T) {
	t.Parallel()
	cqrsfeedtest.TestRebuild(t, func(t *testing.T) cqrsfeed.FeedStore[cqrsfeedtest.Body] {
		t.Helper()
		return openFeedStore(t, openFile(t))
	})
}

func TestAudit(t *testing.T) {
	t.Parallel()
	cqrsfeedtest.TestAudit(t, func(t *testing.T) cqrsfeedtest.AuditFixture {
		t.Helper()
		db := openFile(t)
		return cqrsfeedtest.AuditFixture{
			Store: openFeedStore(t, db),
			Break: func(t *testing.T, damage cqrsfeedtest.Damage) {
				t.Helper()
				breakTables(t, db, damage)
			},
		}
	})
}

func breakTables(t *testing.T, db *sql.DB, damage cqrsfeedtest.Damage) {
	t.Helper()
	at := damage.Place
	key := []any{at.Feed, at.CreatedAt.UnixMicro(), at.ID}
	const thatEntry = " WHERE feed = ? AND created_at = ? AND item = ?"
	feeds, err := json.Marshal(damage.Feeds)
	require.NoError(t, err)
	damages := map[cqrsfeedtest.DamageKind]struct {
		query string
		args  []any
	}{
		cqrsfeedtest.EntryGone:     {"DELETE FROM item_feed_entries" + thatEntry, key},
		cqrsfeedtest.EntryBody:     {`UPDATE item_feed_entries SET body = '{"text":"broken"}'` + thatEntry, key},
		cqrsfeedtest.EntryGarbage:  {"UPDATE item_feed_entries SET body = 'garbage'" + thatEntry, key},
		cqrsfeedtest.EntryVersion:  {"UPDATE item_feed_entries SET v = ?" + thatEntry, append([]any{damage.Number}, key...)},
		cqrsfeedtest.EntryStray:    {"INSERT INTO item_feed_entries (v, feed, created_at, item, updated_at, body) VALUES (?, ?, ?, ?, 0, '{}')", append([]any{damage.Number}, key...)},
		cqrsfeedtest.RecordGone:    {"DELETE FROM item_feed_items WHERE id = ?", []any{at.ID}},
		cqrsfeedtest.RecordVersion: {"UPDATE item_feed_items SET v = ? WHERE id = ?", []any{damage.Number, at.ID}},
		cqrsfeedtest.RecordFeeds:   {"UPDATE item_feed_items SET feeds = ? WHERE id = ?", []any{string(feeds), at.ID}},
		cqrsfeedtest.CountWrong:    {"UPDATE item_feed_feeds SET count = ? WHERE name = ?", []any{damage.Number, at.Feed}},
		cqrsfeedtest.FeedGone:      {"DELETE FROM item_feed_feeds WHERE name = ?", []any{at.Feed}},
	}
	result, err := db.ExecContext(t.Context(), damages[damage.Kind].query, damages[damage.Kind].args...)
	require.NoError(t, err)
	changed, err := result.RowsAffected()
	require.NoError(t, err)
	require.Equal(t, int64(1), changed, "%v", damage)
}
