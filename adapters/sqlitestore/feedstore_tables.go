package sqlitestore

import "github.com/feedmill/feedmill/adapters/internal/sqlstore"

// feedTables has the tables of a feed store and the statements on them.
//
//   - items: each item's highest version, and where its entries are;
//   - entries: the feeds, each a range of the primary key, with whole items so that a page needs no other one;
//   - feeds: revisions and counts;
//   - departures: the version with which an item left a feed, so that when that version is delivered again
//     the feed can be announced again;
//   - checkpoints: how far a rebuild came.
type feedTables struct {
	items, entries, feeds, departures, checkpoints sqlstore.Table

	selectVersion, selectItem, upsertItem string
	upsertEntry, deleteEntry              string
	upsertFeed, selectFeed                string
	upsertDeparture, selectDepartures     string
	selectFeeds, selectPage, selectNext   string
}

func (t feedTables) all() []sqlstore.Table {
	return []sqlstore.Table{t.items, t.entries, t.feeds, t.departures, t.checkpoints}
}

func newFeedTables(prefix string) feedTables {
	items, entries := quote(prefix+"items"), quote(prefix+"entries")
	feeds, departures := quote(prefix+"feeds"), quote(prefix+"departures")
	return feedTables{
		items: sqlstore.Table{Name: prefix + "items", Columns: "id, v, created_at, feeds", Schema: []string{`CREATE TABLE IF NOT EXISTS ` + items + ` (
	id TEXT NOT NULL PRIMARY KEY,
	v INTEGER NOT NULL,
	created_at INTEGER NOT NULL,
	feeds TEXT NOT NULL
) WITHOUT ROWID`}},
		entries: sqlstore.Table{Name: prefix + "entries", Columns: "feed, created_at, item, v, updated_at, body", Schema: []string{`CREATE TABLE IF NOT EXISTS ` + entries + ` (
	feed TEXT NOT NULL,
	created_at INTEGER NOT NULL,
	item TEXT NOT NULL,
	v INTEGER NOT NULL,
	updated_at INTEGER NOT NULL,
	body TEXT NOT NULL,
	PRIMARY KEY (feed, created_at, item)
) WITHOUT ROWID`}},
		feeds: sqlstore.Table{Name: prefix + "feeds", Columns: "name, rev, count", Schema: []string{
			`CREATE TABLE IF NOT EXISTS ` + feeds + ` (
	name TEXT NOT NULL PRIMARY KEY,
	rev INTEGER NOT NULL,
	count INTEGER NOT NULL
) WITHOUT ROWID`,
			`CREATE INDEX IF NOT EXISTS ` + quote(prefix+"feeds_listed") + ` ON ` + feeds + ` (name, count, rev) WHERE count > 0`,
		}},
		departures: sqlstore.Table{Name: prefix + "departures", Columns: "item, feed, v", Schema: []string{`CREATE TABLE IF NOT EXISTS ` + departures + ` (
	item TEXT NOT NULL,
	feed TEXT NOT NULL,
	v INTEGER NOT NULL,
	PRIMARY KEY (item, feed)
) WITHOUT ROWID`}},
		checkpoints: sqlstore.Table{Name: prefix + "checkpoints", Columns: "name, value", Schema: []string{`CREATE TABLE IF NOT EXISTS ` + quote(prefix+"checkpoints") + ` (
	name TEXT NOT NULL PRIMARY KEY,
	value TEXT NOT NULL
) WITHOUT ROWID`}},

		selectVersion: `SELECT v FROM ` + items + ` WHERE id = ?`,
		selectItem:    `SELECT v, created_at, feeds FROM ` + items + ` WHERE id = ?`,
		upsertItem: `INSERT INTO ` + items + ` (id, v, created_at, feeds) VALUES (?, ?, ?, ?)
ON CONFLICT (id) DO UPDATE SET v = excluded.v, created_at = excluded.created_at, feeds = excluded.feeds`,
		upsertEntry: `INSERT INTO ` + entries + ` (feed, created_at, item, v, updated_at, body) VALUES (?, ?, ?, ?, ?, ?)
ON CONFLICT (feed, created_at, item) DO UPDATE
SET v = excluded.v, updated_at = excluded.updated_at, body = excluded.body`,
		deleteEntry: `DELETE FROM ` + entries + ` WHERE feed = ? AND created_at = ? AND item = ?`,
		upsertFeed: `INSERT INTO ` + feeds + ` (name, rev, count) VALUES (?, 1, ?)
ON CONFLICT (name) DO UPDATE SET rev = rev + 1, count = count + excluded.count RETURNING rev`,
		selectFeed: `SELECT rev, count FROM ` + feeds + ` WHERE name = ?`,
		upsertDeparture: `INSERT INTO ` + departures + ` (item, feed, v) VALUES (?, ?, ?)
ON CONFLICT (item, feed) DO UPDATE SET v = excluded.v`,
		selectDepartures: `SELECT feed FROM ` + departures + ` WHERE item = ? AND v = ?`,
		selectFeeds:      `SELECT name, rev, count FROM ` + feeds + ` WHERE count > 0 AND name > ? ORDER BY name LIMIT ?`,
		selectPage: `SELECT created_at, item, v, updated_at, body FROM ` + entries + ` WHERE feed = ?
ORDER BY created_at DESC, item DESC LIMIT ?`,
		selectNext: `SELECT created_at, item, v, updated_at, body FROM ` + entries + ` WHERE feed = ? AND (created_at, item) < (?, ?)
ORDER BY created_at DESC, item DESC LIMIT ?`,
	}
}
