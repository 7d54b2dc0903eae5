package sqlitestore_test

import (
	"database/sql"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"modernc.org/sqlite"

	"github.com/feedmill/feedmill/adapters/mysqlstore"
	"github.com/feedmill/feedmill/adapters/sqlitestore"
	"github.com/feedmill/feedmill/cqrsfeed"
	"github.com/feedmill/feedmill/cqrsfeed/cqrsfeedtest"
	"github.com/feedmill/feedmill/cqrsfeed/cqrsfeedtest/crashtest"
)

type feedChange = cqrsfeed.FeedChange[cqrsfeedtest.Body]

func version(v int64, feeds ...string) feedChange {
	return feedChange{Item: cqrsfeed.Item[cqrsfeedtest.Body]{ID: "one", Version: v, CreatedAt: time.UnixMicro(1)}, Feeds: feeds}
}

func at(feed string, revision int64) cqrsfeed.FeedUpdated {
	return cqrsfeed.FeedUpdated{Feed: feed, Revision: revision}
}

type updates = []cqrsfeed.FeedUpdated

// TestApplyRevisions shows that a feed's revision grows once an Apply, and only if something changed. A repeated version
// returns the feeds that it changed, also after a later version.
func TestApplyRevisions(t *testing.T) {
	t.Parallel()
	store := openFeedStore(t, openFile(t))
	for _, step := range []struct {
		why   string
		batch []feedChange
		want  updates
	}{
		{"enters", []feedChange{version(1, "a", "b")}, updates{at("a", 1), at("b", 1)}},
		{"again", []feedChange{version(1, "a", "b"), version(1, "b", "a")}, updates{at("a", 1), at("b", 1)}},
		{"leaves a, stays, enters c", []feedChange{version(2, "b", "c")}, updates{at("a", 2), at("b", 2), at("c", 1)}},
		{"again: a as well", []feedChange{version(2, "b", "c")}, updates{at("a", 2), at("b", 2), at("c", 1)}},
		{"leaves b and c", []feedChange{version(3, "d")}, updates{at("b", 3), at("c", 2), at("d", 1)}},
		{"an old version again: all that it changed", []feedChange{version(2, "b", "c")}, updates{at("a", 2), at("b", 3), at("c", 2), at("d", 1)}},
		{"versions in one batch", []feedChange{version(5, "a"), version(4, "x"), version(5, "a")}, updates{at("a", 3), at("d", 2)}},
		{"an old version that comes late changes nothing", []feedChange{version(4, "x")}, updates{at("a", 3), at("b", 3), at("c", 2), at("d", 2)}},
		{"nothing", nil, nil},
	} {
		got, err := store.Apply(t.Context(), step.batch)
		require.NoError(t, err, step.why)
		require.Equal(t, step.want, got, step.why)
	}
	v, err := store.ItemVersion(t.Context(), "one")
	require.NoError(t, err)
	assert.Equal(t, int64(5), v)
}

// TestADeletedItemThatNamesFeedsIsInNone, although its change should have no feeds.
func TestADeletedItemThatNamesFeedsIsInNone(t *testing.T) {
	t.Parallel()
	store := openFeedStore(t, openFile(t))
	gone := version(2, "a", "b")
	gone.Item.Deleted = true
	_, err := store.Apply(t.Context(), []feedChange{version(1, "a"), gone})
	require.NoError(t, err)
	feeds, err := store.Feeds(t.Context(), "", 10)
	require.NoError(t, err)
	assert.Empty(t, feeds)
}

// TestAMovedItemLeavesNoEntry: if the CreatedAt of an item changes, which it should not, the item is in the feed once.
func TestAMovedItemLeavesNoEntry(t *testing.T) {
	t.Parallel()
	store := openFeedStore(t, openFile(t))
	moved := version(2, "a")
	moved.Item.CreatedAt = time.UnixMicro(99)
	for _, change := range []feedChange{version(1, "a"), moved} {
		_, err := store.Apply(t.Context(), []feedChange{change})
		require.NoError(t, err)
	}
	page, err := store.Page(t.Context(), "a", "", 10)
	require.NoError(t, err)
	require.Len(t, page.Items, 1)
	assert.Equal(t, time.UnixMicro(99).UTC(), page.Items[0].CreatedAt)
	assert.Equal(t, cqrsfeed.Feed{Name: "a", Count: 1, Revision: 2}, page.Feed)
}

// TestReadsAreRanges shows by SQLite's plans that a page neither sorts nor skips rows.
func TestReadsAreRanges(t *testing.T) {
	t.Parallel()
	db := openFile(t)
	openFeedStore(t, db)
	first, next, feeds, entries := sqlitestore.FeedQueries("item_feed_")
	for query, want := range map[string][]string{
		first: {
			"SEARCH e USING PRIMARY KEY (feed=?)", "SEARCH i USING INTEGER PRIMARY KEY (rowid=?)",
		},
		next: {
			"SEARCH e USING PRIMARY KEY (feed=? AND (created_at,item)<(?,?))", "SEARCH i USING INTEGER PRIMARY KEY (rowid=?)",
		},
		feeds:   {"SEARCH item_feed_feeds USING COVERING INDEX item_feed_feeds_listed (name>?)"},
		entries: {"SEARCH item_feed_entries USING COVERING INDEX item_feed_entries_of_item (item=?)"},
	} {
		assert.Equal(t, want, plan(t, db, query), query)
	}
	var partial bool
	require.NoError(t, db.QueryRowContext(t.Context(),
		"SELECT partial FROM pragma_index_list('item_feed_feeds') WHERE name = 'item_feed_feeds_listed'").Scan(&partial))
	assert.True(t, partial, "the list does not read feeds without items")
}

// TestUnionsMergeRanges shows by SQLite's plans that a union reads an entry at a time from each feed, and sorts none.
func TestUnionsMergeRanges(t *testing.T) {
	t.Parallel()
	db := openFile(t)
	openFeedStore(t, db)
	first, next := sqlitestore.UnionQueries("item_feed_")
	for query, start := range map[string]string{
		first: "SEARCH x USING PRIMARY KEY (feed=?)", next: "SEARCH x USING PRIMARY KEY (feed=? AND (created_at,item)<(?,?))",
	} {
		assert.Equal(t, []string{
			"CO-ROUTINE merged",
			"SETUP",
			"SCAN m VIRTUAL TABLE INDEX 1:",
			"SEARCH e USING PRIMARY KEY (feed=? AND created_at=? AND item=?)",
			"CORRELATED SCALAR SUBQUERY 1",
			start,
			"RECURSIVE STEP",
			"SCAN m",
			"SEARCH e USING PRIMARY KEY (feed=? AND created_at=? AND item=?)",
			"CORRELATED SCALAR SUBQUERY 3",
			"SEARCH x USING PRIMARY KEY (feed=? AND (created_at,item)<(?,?))",
			"SCAN e",
			"SEARCH i USING INTEGER PRIMARY KEY (rowid=?)",
		}, plan(t, db, query), query)
	}
}

// plan returns the steps of SQLite's plan for a query.
func plan(t *testing.T, db *sql.DB, query string) []string {
	t.Helper()
	args := make([]any, strings.Count(query, "?"))
	rows, err := db.QueryContext(t.Context(), "EXPLAIN QUERY PLAN "+query, args...)
	require.NoError(t, err)
	defer rows.Close()
	var steps []string
	for rows.Next() {
		var id, parent, unused int
		var step string
		require.NoError(t, rows.Scan(&id, &parent, &unused, &step))
		steps = append(steps, step)
	}
	require.NoError(t, rows.Err())
	return steps
}

func TestFeedStoresOfOneStore(t *testing.T) {
	t.Parallel()
	store := newStore(t, openFile(t))
	for _, name := range []string{"a b", "1", "é", "", strings.Repeat("x", 41)} {
		_, err := sqlitestore.NewFeedStore[string](store, name)
		require.ErrorIs(t, err, cqrsfeed.ErrInvalid, name)
	}
	_, err := sqlitestore.NewFeedStore[string](nil, "a")
	require.ErrorIs(t, err, cqrsfeed.ErrInvalid)

	longest := strings.Repeat("x", 40)
	for _, name := range []string{"a", "b", longest} {
		feeds, err := sqlitestore.NewFeedStore[cqrsfeedtest.Body](store, name)
		require.NoError(t, err)
		require.NoError(t, store.EnsureSchema(t.Context()))
		require.NoError(t, store.EnsureSchema(t.Context()), "a second time changes nothing")
		updated, err := feeds.Apply(t.Context(), []feedChange{version(1, "a")})
		require.NoError(t, err)
		assert.Equal(t, updates{at("a", 1)}, updated, "stores with different names are independent")
	}
	_, err = sqlitestore.NewFeedStore[string](store, "a")
	require.ErrorContains(t, err, `sqlitestore: new feed store "a": invalid argument: table a_feed_items is in use`)
	_, err = sqlitestore.NewRepository[string](store, "a_feed_entries")
	require.ErrorIs(t, err, cqrsfeed.ErrInvalid)
	_, err = sqlitestore.NewRepository[string](store, "a")
	require.NoError(t, err)
}

// TestAFeedStoreNeedsSQLite: a store of another database has the same type and is refused.
func TestAFeedStoreNeedsSQLite(t *testing.T) {
	t.Parallel()
	store, err := mysqlstore.New(openFile(t), mysqlstore.Config{})
	require.NoError(t, err)
	_, err = sqlitestore.NewFeedStore[string](store, "a")
	require.ErrorIs(t, err, cqrsfeed.ErrInvalid)
	require.ErrorContains(t, err, `"mysqlstore"`)
}

// TestApplyEndsWithItsCommit: it reads nothing afterwards, because readers may be ahead of it for a connection of the pool.
func TestApplyEndsWithItsCommit(t *testing.T) {
	t.Parallel()
	connector, err := sqlite.NewConnector(sqlitestore.DSN(filepath.Join(t.TempDir(), "feeds.db")))
	require.NoError(t, err)
	var statements []string
	db := sql.OpenDB(crashtest.Intercept(t.Context(), connector, func(statement string, execute func() error) error {
		statements = append(statements, statement)
		return execute()
	}))
	defer db.Close()
	store := openFeedStore(t, db)
	for _, change := range []feedChange{version(1, "a", "b"), version(2, "b")} {
		updated, err := store.Apply(t.Context(), []feedChange{change})
		require.NoError(t, err)
		require.Len(t, updated, 2)
		for i := len(statements) - 1; statements[i] != "COMMIT"; i-- {
			require.NotContains(t, statements[i], "item_feed")
		}
	}
}
