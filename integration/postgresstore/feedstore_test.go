package postgresstore_test

import (
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/stdlib"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/feedmill/feedmill/cqrsfeed"
	"github.com/feedmill/feedmill/cqrsfeed/cqrsfeedtest"
	"github.com/feedmill/feedmill/cqrsfeed/limits"
	"github.com/feedmill/feedmill/integration/internal/servers"
	"github.com/feedmill/feedmill/integration/internal/sqlstores"
)

type feedChange = cqrsfeed.FeedChange[cqrsfeedtest.Body]

// newItem is the first version of an item in feed "a".
func newItem(id string) []feedChange {
	return []feedChange{{
		Item: cqrsfeed.Item[cqrsfeedtest.Body]{ID: id, Version: 1, CreatedAt: time.UnixMicro(1)}, Feeds: []string{"a"},
	}}
}

// TestWritersOfAFeedDoNotWait for one whose transaction stays open, and counts are right before and after its end.
func TestWritersOfAFeedDoNotWait(t *testing.T) {
	t.Parallel()
	db := openDB(t, servers.Postgres(t))
	feeds := openFeedStore(t, db)
	apply := func(id string) {
		t.Helper()
		_, err := feeds.Apply(t.Context(), newItem(id))
		require.NoError(t, err)
	}
	requireCount := func(n int64) {
		t.Helper()
		page, err := feeds.Page(t.Context(), "a", "", 10)
		require.NoError(t, err)
		require.Len(t, page.Items, int(n))
		require.Equal(t, cqrsfeed.Feed{Name: "a", Count: n, Revision: n}, page.Feed)
	}
	apply("one")
	open, err := db.BeginTx(t.Context(), nil)
	require.NoError(t, err)
	_, err = open.ExecContext(t.Context(), "UPDATE item_feed_feeds SET changed_at = 0")
	require.NoError(t, err)
	apply("two")
	apply("three")
	requireCount(3)
	require.NoError(t, open.Commit())
	apply("four")
	requireCount(4)
	var rows int
	require.NoError(t, db.QueryRowContext(t.Context(), "SELECT count(*) FROM item_feed_feeds").Scan(&rows))
	assert.Equal(t, 2, rows, "a row is used again when it is free")

	forgotten, err := feeds.ForgetFeeds(t.Context(), time.Now().Add(time.Hour))
	require.NoError(t, err)
	require.Zero(t, forgotten)
	gone := newItem("one")
	for _, id := range []string{"one", "two", "three", "four"} {
		gone[0].Item.ID, gone[0].Item.Version, gone[0].Item.Deleted = id, 2, true
		_, err := feeds.Apply(t.Context(), gone)
		require.NoError(t, err)
	}
	forgotten, err = feeds.ForgetFeeds(t.Context(), time.Now().Add(time.Hour))
	require.NoError(t, err)
	require.EqualValues(t, 1, forgotten, "feeds, not rows")
}

// TestStrayEntriesEndNoFeed: pages have all items, whatever entries are between them.
func TestStrayEntriesEndNoFeed(t *testing.T) {
	t.Parallel()
	db := openDB(t, servers.Postgres(t))
	feeds := openFeedStore(t, db)
	for _, id := range []string{"a", "b", "c", "d"} {
		_, err := feeds.Apply(t.Context(), newItem(id))
		require.NoError(t, err)
	}
	_, err := db.ExecContext(t.Context(), "INSERT INTO item_feed_entries (feed, created_at, item) VALUES ('a', 1, 'c1'), ('a', 1, 'b1'), ('a', 2, 'a')")
	require.NoError(t, err)
	assert.Equal(t, []string{"d", "c", "b", "a"}, walk(t, func(cursor string) (page, error) { return feeds.Page(t.Context(), "a", cursor, 1) }))
}

// TestStrayEntriesEndNoUnion, not even behind an item that is larger than a page.
func TestStrayEntriesEndNoUnion(t *testing.T) {
	t.Parallel()
	db := openDB(t, servers.Postgres(t))
	feeds := openFeedStore(t, db)
	for i, id := range []string{"older", "old", "large"} {
		batch := newItem(id)
		batch[0].Item.CreatedAt = time.UnixMicro(int64(i+1) * 10)
		if id == "large" {
			batch[0].Item.Body.Text = strings.Repeat("x", limits.MaxPageBytes+1)
		}
		_, err := feeds.Apply(t.Context(), batch)
		require.NoError(t, err)
	}
	_, err := db.ExecContext(t.Context(), "INSERT INTO item_feed_entries (feed, created_at, item) VALUES ('a', 25, 'stray')")
	require.NoError(t, err)
	assert.Equal(t, []string{"large", "old", "older"}, walk(t, func(cursor string) (page, error) {
		return feeds.Union(t.Context(), []string{"a", "b"}, cursor, 10)
	}))
}

// TestAUnionReadsNoMoreOfAFeedThanThePageMayHave counts the entries that the server reads for pages of long feeds.
func TestAUnionReadsNoMoreOfAFeedThanThePageMayHave(t *testing.T) {
	t.Parallel()
	db := openDB(t, servers.Postgres(t))
	db.SetMaxOpenConns(1) // which reports what it has read
	feeds := openFeedStore(t, db)
	names := []string{"a", "b", "c", "d"}
	var batch []feedChange
	for i := range 4000 {
		change := newItem(fmt.Sprintf("item-%04d", i))
		change[0].Item.CreatedAt, change[0].Feeds = time.UnixMicro(int64(i)), []string{names[i%4], names[i*3%4]}
		batch = append(batch, change...)
	}
	_, err := feeds.Apply(t.Context(), batch)
	require.NoError(t, err)
	_, err = db.ExecContext(t.Context(), "ANALYZE")
	require.NoError(t, err)
	entries := func() (n int) {
		_, err := db.ExecContext(t.Context(), "SELECT pg_stat_force_next_flush()")
		require.NoError(t, err)
		require.NoError(t, db.QueryRowContext(t.Context(), `SELECT seq_tup_read + (
			SELECT sum(idx_tup_read) FROM pg_stat_user_indexes AS i WHERE i.relid = t.relid
		) FROM pg_stat_user_tables AS t WHERE relname = 'item_feed_entries'`).Scan(&n))
		return n
	}
	const limit = 10
	for cursor, i := "", 0; i < 10; i++ { // after five executions the server keeps a plan
		before := entries()
		page, err := feeds.Union(t.Context(), names, cursor, limit)
		require.NoError(t, err)
		require.Len(t, page.Items, limit)
		read := entries() - before
		require.Positive(t, read)
		require.LessOrEqual(t, read, len(names)*(limit+1))
		cursor = page.Next
	}
}

type page = cqrsfeed.FeedPage[cqrsfeedtest.Body]

// walk returns the items of all pages.
func walk(t *testing.T, read func(cursor string) (page, error)) (ids []string) {
	t.Helper()
	for cursor := ""; ; {
		page, err := read(cursor)
		require.NoError(t, err)
		for _, item := range page.Items {
			ids = append(ids, item.ID)
		}
		if cursor = page.Next; cursor == "" {
			return ids
		}
	}
}

// TestAnAnnouncedRevisionHasTheChange: another writer commits between the statements and the commit of an Apply. The
// revision that Apply returns is that of a page with both items.
func TestAnAnnouncedRevisionHasTheChange(t *testing.T) {
	t.Parallel()
	dsn := servers.Postgres(t)
	config, err := pgx.ParseConfig(dsn)
	require.NoError(t, err)
	db, before := sqlstores.Intercept(t, stdlib.GetConnector(*config))
	late, other := openFeedStore(t, db), openFeedStore(t, openDB(t, dsn))
	var held atomic.Bool
	before(func(statement string) {
		if strings.HasPrefix(statement, "COMMIT") && held.CompareAndSwap(false, true) {
			updated, err := other.Apply(t.Context(), newItem("other"))
			require.NoError(t, err)
			assert.Equal(t, []cqrsfeed.FeedUpdated{{Feed: "a", Revision: 1}}, updated)
		}
	})
	updated, err := late.Apply(t.Context(), newItem("late"))
	require.NoError(t, err)
	require.True(t, held.Load())
	require.Equal(t, []cqrsfeed.FeedUpdated{{Feed: "a", Revision: 2}}, updated, "a page of revision 1 may lack the item")
}

// TestWritersOfAnItem apply two versions of an item at once. At a statement of one, the other is applied, until it is done or
// waits for a lock. Version 3 stays.
func TestWritersOfAnItem(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		known       bool
		at          string
		held, other int64 // versions
	}{
		"a new item":   {false, `INSERT INTO "item_feed_items"`, 3, 2},
		"a known item": {true, `UPDATE "item_feed_items"`, 2, 3},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dsn := servers.Postgres(t)
			config, err := pgx.ParseConfig(dsn)
			require.NoError(t, err)
			db, before := sqlstores.Intercept(t, stdlib.GetConnector(*config))
			direct := openDB(t, dsn)
			first, second := openFeedStore(t, db), openFeedStore(t, direct)
			version := func(v int64) []feedChange {
				change := newItem("x")
				change[0].Item.Version, change[0].Feeds = v, []string{fmt.Sprintf("of version %d", v)}
				return change
			}
			if c.known {
				_, err := second.Apply(t.Context(), version(1))
				require.NoError(t, err)
			}
			var held atomic.Bool
			done := make(chan error, 1)
			before(func(statement string) {
				if !strings.HasPrefix(statement, c.at) || !held.CompareAndSwap(false, true) {
					return
				}
				go func() {
					_, err := second.Apply(t.Context(), version(c.other))
					done <- err
				}()
				assert.Eventually(t, func() (waits bool) {
					err := direct.QueryRowContext(t.Context(),
						"SELECT EXISTS (SELECT FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock')").Scan(&waits)
					return assert.NoError(t, err) && waits || len(done) > 0
				}, time.Minute, 5*time.Millisecond)
			})
			_, err = first.Apply(t.Context(), version(c.held))
			require.NoError(t, err)
			require.True(t, held.Load())
			require.NoError(t, <-done)
			v, err := second.ItemVersion(t.Context(), "x")
			require.NoError(t, err)
			assert.EqualValues(t, 3, v)
			feeds, err := second.Feeds(t.Context(), "", 10)
			require.NoError(t, err)
			require.Len(t, feeds, 1)
			assert.Equal(t, "of version 3", feeds[0].Name)
			assert.EqualValues(t, 1, feeds[0].Count)
		})
	}
}
