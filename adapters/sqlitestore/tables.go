package sqlitestore

import (
	"encoding/json"

	"github.com/feedmill/feedmill/adapters/internal/sqlstore/feedstore"
	"github.com/feedmill/feedmill/adapters/internal/sqlstore/sqldb"
)

// feedTables are the tables of a feed store and the statements on them.
//
//   - items: the newest state of each item and the feeds that it left. A deleted item and a withheld version have no
//     body. The number n is the row's, so that items of about the same time are close to each other.
//   - entries: the items of each feed, in the order of pages. An entry is shown only if there is an item of the same
//     id, number and time of creation.
//   - feeds: revisions and counts.
type feedTables[T any] struct {
	database *sqldb.Database
	reads    statements // closed with the database

	selectItem, upsertItem, deleteItem      string
	selectEntries, insertEntry, deleteEntry string
	changeFeed, recountFeed, forgetFeeds    string
	selectFeed, selectPage, selectNext      string
	selectUnion, selectUnionNext            string
}

// List implements feedstore.Access: a JSON array, for json_each.
func (t *feedTables[T]) List(values []string) any {
	list, _ := json.Marshal(values) // strings can be encoded
	return string(list)
}

func newFeedTables[T any](database *sqldb.Database, prefix string) feedstore.Tables[T] {
	items, entries, feeds := quote(prefix+"items"), quote(prefix+"entries"), quote(prefix+"feeds")
	// CROSS JOIN makes SQLite read the entries first, in their order.
	shown := entries + ` AS e CROSS JOIN ` + items + ` AS i ON i.n = e.n AND i.id = e.item AND i.created_at = e.created_at AND i.body IS NOT NULL`
	page := `SELECT i.created_at, i.id, i.v, i.updated_at, i.body FROM ` + shown + ` WHERE e.feed = ?`
	newestFirst := ` ORDER BY e.created_at DESC, e.item DESC LIMIT ?`
	t := &feedTables[T]{database: database, reads: statements{from: database.DB.DB}}
	schema := []sqldb.Table{
		{Name: prefix + "items", Columns: "n, id, v, rule, withheld, created_at, updated_at, body, past", Schema: []string{`CREATE TABLE IF NOT EXISTS ` + items + ` (
	n INTEGER PRIMARY KEY,
	id TEXT NOT NULL UNIQUE,
	v INTEGER NOT NULL,
	rule INTEGER NOT NULL,
	withheld INTEGER NOT NULL,
	created_at INTEGER NOT NULL,
	updated_at INTEGER NOT NULL,
	body TEXT,
	past TEXT NOT NULL
)`}},
		{Name: prefix + "entries", Columns: "feed, created_at, item, n", Schema: []string{
			`CREATE TABLE IF NOT EXISTS ` + entries + ` (
	feed TEXT NOT NULL,
	created_at INTEGER NOT NULL,
	item TEXT NOT NULL,
	n INTEGER NOT NULL,
	PRIMARY KEY (feed, created_at, item)
) WITHOUT ROWID`,
			`CREATE INDEX IF NOT EXISTS ` + quote(prefix+"entries_of_item") + ` ON ` + entries + ` (item, n)`,
		}},
		{Name: prefix + "feeds", Columns: "name, rev, count, changed_at", Schema: []string{
			`CREATE TABLE IF NOT EXISTS ` + feeds + ` (
	name TEXT NOT NULL PRIMARY KEY,
	rev INTEGER NOT NULL,
	count INTEGER NOT NULL,
	changed_at INTEGER NOT NULL
) WITHOUT ROWID`,
			`CREATE INDEX IF NOT EXISTS ` + quote(prefix+"feeds_listed") + ` ON ` + feeds + ` (name, count, rev) WHERE count > 0`,
		}},
	}
	reads := feedstore.Reads{
		Version:   `SELECT v FROM ` + items + ` WHERE id = ?`,
		Feeds:     `SELECT name, rev, count FROM ` + feeds + ` WHERE count > 0 AND name > ? ORDER BY name LIMIT ?`,
		Heads:     `SELECT name, rev, count FROM ` + feeds + ` WHERE name IN (SELECT value FROM json_each(?))`,
		Revisions: `SELECT name, rev FROM ` + feeds + ` WHERE name IN (SELECT value FROM json_each(?)) ORDER BY name`,
		IDs:       `SELECT id FROM ` + items + ` WHERE id > ? ORDER BY id LIMIT ?`,
		Items: `SELECT id, v, rule, withheld, created_at, updated_at, body, CASE WHEN body IS NULL THEN '[]' ELSE (
	SELECT json_group_array(feed) FROM (
		SELECT feed FROM ` + entries + ` AS e WHERE e.item = i.id AND e.n = i.n AND e.created_at = i.created_at ORDER BY feed)) END
FROM ` + items + ` AS i WHERE id IN (SELECT value FROM json_each(?))`,
		Counts: `SELECT named.value, coalesce(f.count, 0), coalesce(f.rev, 0),
	(SELECT count(*) FROM ` + shown + ` WHERE e.feed = named.value)
FROM json_each(?) AS named LEFT JOIN ` + feeds + ` AS f ON f.name = named.value`,
	}

	t.selectFeed = `SELECT rev, count FROM ` + feeds + ` WHERE name = ?`
	t.selectPage = page + newestFirst
	t.selectNext = page + ` AND (e.created_at, e.item) < (?, ?)` + newestFirst

	// A recursive query takes the newest entry out of its queue, and puts the next one of the same feed there: it merges ranges of
	// the index. The + takes the type from m.item, without which SQLite does not use the index for it.
	next := func(from, feed, before string) string {
		return `SELECT e.feed, e.created_at, e.item, e.n FROM ` + from + ` AS m CROSS JOIN ` + entries + ` AS e
	ON e.feed = ` + feed + ` AND (e.created_at, e.item) = (SELECT x.created_at, x.item FROM ` + entries + ` AS x
		WHERE x.feed = ` + feed + before + ` ORDER BY x.created_at DESC, x.item DESC LIMIT 1)`
	}
	union := func(before string) string {
		return `WITH RECURSIVE merged (feed, created_at, item, n) AS (
	` + next("json_each(?1)", "m.value", before) + `
	UNION ALL
	` + next("merged", "m.feed", ` AND (x.created_at, x.item) < (m.created_at, +m.item)`) + `
	ORDER BY 2 DESC, 3 DESC
)
SELECT i.created_at, i.id, i.v, i.updated_at, i.body FROM merged AS e CROSS JOIN ` + items + ` AS i
	ON i.n = e.n AND i.id = e.item AND i.created_at = e.created_at AND i.body IS NOT NULL`
	}
	t.selectUnion = union("")
	t.selectUnionNext = union(" AND (x.created_at, x.item) < (?2, ?3)")

	t.selectItem = `SELECT n, v, rule, withheld, created_at, body IS NOT NULL, past FROM ` + items + ` WHERE id = ?`
	t.upsertItem = `INSERT INTO ` + items + ` (id, v, rule, withheld, created_at, updated_at, body, past) VALUES (?, ?, ?, ?, ?, ?, ?, ?)
ON CONFLICT (id) DO UPDATE SET v = excluded.v, rule = excluded.rule, withheld = excluded.withheld,
	created_at = excluded.created_at, updated_at = excluded.updated_at,
	body = excluded.body, past = excluded.past RETURNING n`
	t.deleteItem = `DELETE FROM ` + items + ` WHERE id = ?`
	t.selectEntries = `SELECT feed, created_at, item, n FROM ` + entries + ` WHERE item = ?`
	t.insertEntry = `INSERT INTO ` + entries + ` (feed, created_at, item, n) VALUES (?, ?, ?, ?)`
	t.deleteEntry = `DELETE FROM ` + entries + ` WHERE feed = ? AND created_at = ? AND item = ?`

	t.changeFeed = `INSERT INTO ` + feeds + ` (name, rev, count, changed_at) VALUES (?1, 1, ?3, ?2)
ON CONFLICT (name) DO UPDATE SET rev = rev + 1, count = count + excluded.count, changed_at = excluded.changed_at`
	t.recountFeed = `INSERT INTO ` + feeds + ` (name, rev, count, changed_at) VALUES (?1, 1, (SELECT count(*) FROM ` + shown + ` WHERE e.feed = ?1), ?2)
ON CONFLICT (name) DO UPDATE SET rev = rev + 1, count = excluded.count, changed_at = excluded.changed_at`
	t.forgetFeeds = `DELETE FROM ` + feeds + ` WHERE count = 0 AND changed_at < ?`
	return feedstore.Tables[T]{Schema: schema, Reads: reads, Access: t, OneWriter: true}
}
