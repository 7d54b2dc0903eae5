package postgresstore

import (
	"github.com/feedmill/feedmill/adapters/internal/sqlstore/feedstore"
	"github.com/feedmill/feedmill/adapters/internal/sqlstore/sqldb"
)

// feedTables are the tables of a feed store and the statements on them.
//
//   - items: the newest state of each item and the feeds that it left. A deleted item and a withheld version have no
//     body.
//   - entries: the items of each feed, in the order of pages. An entry is shown only if there is a body of the same id and
//     time of creation.
//   - feeds: revisions and counts. A feed has several rows, which are added up: a writer takes the first that no other
//     transaction has locked, or inserts one. So writers of one feed do not wait for each other, and a feed has as many
//     rows as it once had writers at the same time. Each transaction that changes a feed adds 1 to its revision. What a
//     reader adds up is of one snapshot, so a greater revision means that there was a change, and equal ones that there
//     was none.
type feedTables[T any] struct {
	database *sqldb.Database
	feeds    string // the table's name

	lockItems, readEntries                string
	insertItems, updateItems, deleteItems string
	insertEntries, deleteEntries          string
	changeFeeds, lockCounts, recountFeeds string
	forgetFeeds, selectPage, selectNext   string
	selectUnion, selectUnionNext          string
}

// List implements feedstore.Access: an array.
func (t *feedTables[T]) List(values []string) any { return values }

func newFeedTables[T any](database *sqldb.Database, prefix string) feedstore.Tables[T] {
	t := &feedTables[T]{database: database, feeds: prefix + "feeds"}
	items, entries, feeds := quote(prefix+"items"), quote(prefix+"entries"), quote(t.feeds)
	schema := []sqldb.Table{
		{Name: prefix + "items", Columns: "id, v, rule, withheld, created_at, updated_at, body, past", Schema: []string{`CREATE TABLE IF NOT EXISTS ` + items + ` (
	id TEXT COLLATE "C" NOT NULL PRIMARY KEY,
	v BIGINT NOT NULL,
	rule BIGINT NOT NULL,
	withheld BOOLEAN NOT NULL,
	created_at BIGINT NOT NULL,
	updated_at BIGINT NOT NULL,
	body BYTEA,
	past TEXT COLLATE "C" NOT NULL
)`}},
		{Name: prefix + "entries", Columns: "feed, created_at, item", Schema: []string{`CREATE TABLE IF NOT EXISTS ` + entries + ` (
	feed TEXT COLLATE "C" NOT NULL,
	created_at BIGINT NOT NULL,
	item TEXT COLLATE "C" NOT NULL,
	PRIMARY KEY (feed, created_at, item)
); CREATE INDEX IF NOT EXISTS ` + suffixed(entries, "_item") + ` ON ` + entries + ` (item)`}},
		// The free space lets a row be updated in its page, without the index. Rows are few and often updated.
		{Name: t.feeds, Columns: "name, slot, rev, count, changed_at", Schema: []string{`CREATE TABLE IF NOT EXISTS ` + feeds + ` (
	name TEXT COLLATE "C" NOT NULL,
	slot BIGINT GENERATED ALWAYS AS IDENTITY,
	rev BIGINT NOT NULL,
	count BIGINT NOT NULL,
	changed_at BIGINT NOT NULL,
	PRIMARY KEY (name, slot)
) WITH (fillfactor = 50, autovacuum_vacuum_threshold = 1000, autovacuum_vacuum_scale_factor = 0.05)`}},
	}
	t.writing(items, entries, feeds)
	t.paging(items, entries, feeds)
	t.uniting(items, entries)
	return feedstore.Tables[T]{Schema: schema, Reads: reads(items, entries, feeds), Access: t}
}

// shown are the entries that pages show.
func shown(items, entries string) string {
	return entries + ` AS e JOIN ` + items + ` AS i ON i.id = e.item AND i.created_at = e.created_at AND i.body IS NOT NULL`
}

func (t *feedTables[T]) writing(items, entries, feeds string) {
	t.lockItems = `SELECT id, v, rule, withheld, created_at, body IS NOT NULL, past FROM ` + items + `
WHERE id = ANY($1::text[]) ORDER BY id FOR UPDATE`
	t.readEntries = `SELECT feed, created_at, item FROM ` + entries + ` WHERE item = ANY($1::text[])`

	const states = `unnest($1::text[], $2::bigint[], $3::bigint[], $4::boolean[], $5::bigint[], $6::bigint[], $7::bytea[], $8::text[])
	AS n (id, v, rule, withheld, created_at, updated_at, body, past)`
	t.insertItems = `INSERT INTO ` + items + ` (id, v, rule, withheld, created_at, updated_at, body, past)
SELECT * FROM ` + states + ` ON CONFLICT DO NOTHING`
	t.updateItems = `UPDATE ` + items + ` AS i SET v = n.v, rule = n.rule, withheld = n.withheld, created_at = n.created_at,
	updated_at = n.updated_at, body = n.body, past = n.past FROM ` + states + ` WHERE i.id = n.id`
	t.deleteItems = `DELETE FROM ` + items + ` WHERE id = ANY($1::text[])`

	const places = `unnest($1::text[], $2::bigint[], $3::text[]) AS n (feed, created_at, item)`
	t.insertEntries = `INSERT INTO ` + entries + ` (feed, created_at, item) SELECT * FROM ` + places + ` ON CONFLICT DO NOTHING`
	t.deleteEntries = `DELETE FROM ` + entries + ` AS e USING ` + places + `
WHERE e.feed = n.feed AND e.created_at = n.created_at AND e.item = n.item`

	// addChanges adds the rows of a CTE "change" to the feeds.
	addChanges := `, free AS MATERIALIZED (
	SELECT c.name, s.slot FROM change AS c CROSS JOIN LATERAL (
		SELECT f.slot FROM ` + feeds + ` AS f WHERE f.name = c.name ORDER BY f.slot LIMIT 1 FOR UPDATE SKIP LOCKED) AS s
), updated AS (
	UPDATE ` + feeds + ` AS f SET rev = f.rev + 1, count = f.count + c.growth, changed_at = $1
	FROM free JOIN change AS c ON c.name = free.name WHERE f.name = free.name AND f.slot = free.slot RETURNING f.name
)
INSERT INTO ` + feeds + ` (name, rev, count, changed_at)
SELECT c.name, 1, c.growth, $1 FROM change AS c WHERE NOT EXISTS (SELECT FROM updated AS u WHERE u.name = c.name)`
	t.changeFeeds = `WITH change AS MATERIALIZED (SELECT * FROM unnest($2::text[], $3::bigint[]) AS n (name, growth))` + addChanges
	// Two recounts at once would both add what is missing.
	t.lockCounts = `SELECT pg_advisory_xact_lock(hashtextextended($1, 1))`
	t.recountFeeds = `WITH change AS MATERIALIZED (
	SELECT n.name, (SELECT count(*) FROM ` + shown(items, entries) + ` WHERE e.feed = n.name)
		- (SELECT coalesce(sum(f.count), 0)::bigint FROM ` + feeds + ` AS f WHERE f.name = n.name) AS growth
	FROM unnest($2::text[]) AS n (name)
)` + addChanges
	// It looks again at the rows that it has locked, because a writer may have been faster.
	t.forgetFeeds = `WITH old AS (
	SELECT name FROM ` + feeds + ` GROUP BY name HAVING sum(count) = 0 AND max(changed_at) < $1
), locked AS MATERIALIZED (
	SELECT name, slot, count, changed_at FROM ` + feeds + ` WHERE name IN (SELECT name FROM old) ORDER BY name, slot FOR UPDATE
), empty AS (
	SELECT name FROM locked GROUP BY name HAVING sum(count) = 0 AND max(changed_at) < $1
), deleted AS (
	DELETE FROM ` + feeds + ` AS f USING locked AS l JOIN empty AS o ON o.name = l.name
	WHERE f.name = l.name AND f.slot = l.slot RETURNING f.name
) SELECT count(DISTINCT name) FROM deleted`
}

func (t *feedTables[T]) paging(items, entries, feeds string) {
	// One statement reads one snapshot. The bodies behind the limit in bytes ($3) stay in the server, but for the first or
	// two, which tell that there are more. LIMIT 1 keeps the planner from any join but a look at each entry's item, in order.
	page := func(after string) string {
		return `WITH f AS (
	SELECT coalesce(sum(rev), 0)::bigint AS rev, coalesce(sum(count), 0)::bigint AS count FROM ` + feeds + ` WHERE name = $1
), p AS (
	SELECT s.*, coalesce(sum(octet_length(s.body)) OVER (
		ORDER BY s.created_at DESC, s.id DESC ROWS BETWEEN UNBOUNDED PRECEDING AND 2 PRECEDING), 0) AS before
	FROM (SELECT e.created_at, e.item AS id, i.v, i.updated_at, i.body FROM ` + entries + ` AS e CROSS JOIN LATERAL (
		SELECT v, updated_at, body FROM ` + items + ` WHERE id = e.item AND created_at = e.created_at AND body IS NOT NULL LIMIT 1) AS i
		WHERE e.feed = $1` + after + ` ORDER BY e.created_at DESC, e.item DESC LIMIT $2) AS s
)
SELECT f.rev, f.count, p.created_at, p.id, p.v, p.updated_at, p.body FROM f LEFT JOIN p ON p.before <= $3
ORDER BY p.created_at DESC, p.id DESC`
	}
	t.selectPage = page("")
	t.selectNext = page(" AND (e.created_at, e.item) < ($4, $5)")
}

// uniting makes the statements of unions. They read up to $2 entries of each feed by the index, merge them, and look at the
// items of $2 of them.
func (t *feedTables[T]) uniting(items, entries string) {
	union := func(after string) string {
		return `SELECT p.created_at, p.id, p.v, p.updated_at, p.body FROM (
	SELECT k.created_at, k.item AS id, i.v, i.updated_at, i.body, coalesce(sum(octet_length(i.body)) OVER (
		ORDER BY k.created_at DESC, k.item DESC ROWS BETWEEN UNBOUNDED PRECEDING AND 2 PRECEDING), 0) AS before
	FROM (SELECT DISTINCT e.created_at, e.item FROM unnest($1::text[]) AS n (name) CROSS JOIN LATERAL (
		SELECT created_at, item FROM ` + entries + ` WHERE feed = n.name COLLATE "C"` + after + `
		ORDER BY created_at DESC, item DESC LIMIT $2) AS e
		ORDER BY e.created_at DESC, e.item DESC LIMIT $2) AS k
	LEFT JOIN LATERAL (
		SELECT v, updated_at, body FROM ` + items + ` WHERE id = k.item AND created_at = k.created_at AND body IS NOT NULL LIMIT 1) AS i ON true) AS p
WHERE p.before <= $3 ORDER BY p.created_at DESC, p.id DESC`
	}
	t.selectUnion = union("")
	t.selectUnionNext = union(" AND (created_at, item) < ($4, $5)")
}

func reads(items, entries, feeds string) feedstore.Reads {
	return feedstore.Reads{
		Version: `SELECT v FROM ` + items + ` WHERE id = $1`,
		Feeds: `SELECT name, sum(rev)::bigint, sum(count)::bigint FROM ` + feeds + `
WHERE name > $1 GROUP BY name HAVING sum(count) > 0 ORDER BY name LIMIT $2`,
		Heads:     `SELECT name, sum(rev)::bigint, sum(count)::bigint FROM ` + feeds + ` WHERE name = ANY($1::text[]) GROUP BY name`,
		Revisions: `SELECT name, sum(rev)::bigint FROM ` + feeds + ` WHERE name = ANY($1::text[]) GROUP BY name ORDER BY name`,
		IDs:       `SELECT id FROM ` + items + ` WHERE id > $1 ORDER BY id LIMIT $2`,
		Items: `SELECT id, v, rule, withheld, created_at, updated_at, body, coalesce((
	SELECT json_agg(e.feed ORDER BY e.feed) FROM ` + entries + ` AS e
	WHERE e.item = i.id AND e.created_at = i.created_at AND i.body IS NOT NULL), '[]')::text
FROM ` + items + ` AS i WHERE id = ANY($1::text[])`,
		Counts: `SELECT n.name,
	(SELECT coalesce(sum(f.count), 0)::bigint FROM ` + feeds + ` AS f WHERE f.name = n.name),
	(SELECT coalesce(sum(f.rev), 0)::bigint FROM ` + feeds + ` AS f WHERE f.name = n.name),
	(SELECT count(*) FROM ` + shown(items, entries) + ` WHERE e.feed = n.name)
FROM unnest($1::text[]) AS n (name)`,
	}
}
