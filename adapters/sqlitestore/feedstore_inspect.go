package sqlitestore

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"time"

	"github.com/feedmill/feedmill/cqrsfeed"
)

var _ cqrsfeed.FeedInspector = (*FeedStore[any])(nil)

// StoredIDs implements cqrsfeed.FeedInspector.
func (s *FeedStore[T]) StoredIDs(ctx context.Context, after string, limit int) ([]string, error) {
	query := `SELECT id FROM ` + quote(s.tables.items.name) + ` WHERE id > ? ORDER BY id LIMIT ?`
	return readRows(ctx, s, "list items after "+after, query, []any{after, cqrsfeed.PageLimit(limit)},
		func(rows *sql.Rows) (id string, err error) { return id, rows.Scan(&id) })
}

// StoredItems implements cqrsfeed.FeedInspector.
func (s *FeedStore[T]) StoredItems(ctx context.Context, ids []string) ([]cqrsfeed.StoredItem, error) {
	query := `SELECT id, v, created_at, feeds FROM ` + quote(s.tables.items.name) + ` WHERE id IN (` + commas(len(ids), "?") + `)`
	return readRows(ctx, s, fmt.Sprintf("read %d items", len(ids)), query, anys(ids), scanStoredItem)
}

func scanStoredItem(rows *sql.Rows) (cqrsfeed.StoredItem, error) {
	var item cqrsfeed.StoredItem
	var createdAt int64
	var names string
	if err := rows.Scan(&item.ID, &item.Version, &createdAt, &names); err != nil {
		return item, err
	}
	item.Applied = item.Version
	var feeds []string
	if err := json.Unmarshal([]byte(names), &feeds); err != nil {
		return item, fmt.Errorf("decode feeds of item %q: %w", item.ID, err)
	}
	for _, feed := range feeds {
		item.Places = append(item.Places, cqrsfeed.Place{Feed: feed, CreatedAt: time.UnixMicro(createdAt).UTC(), ID: item.ID})
	}
	return item, nil
}

// StoredEntries implements cqrsfeed.FeedInspector.
func (s *FeedStore[T]) StoredEntries(ctx context.Context, places []cqrsfeed.Place) ([]cqrsfeed.StoredEntry, error) {
	args := make([]any, 0, 3*len(places))
	for _, at := range places {
		args = append(args, at.Feed, at.CreatedAt.UnixMicro(), at.ID)
	}
	query := `SELECT feed, created_at, item, v, updated_at, body FROM ` + quote(s.tables.entries.name) +
		` WHERE (feed, created_at, item) IN (VALUES ` + commas(len(places), "(?, ?, ?)") + `)`
	return readRows(ctx, s, fmt.Sprintf("read %d entries", len(places)), query, args, scanStoredEntry)
}

func scanStoredEntry(rows *sql.Rows) (cqrsfeed.StoredEntry, error) {
	var entry cqrsfeed.StoredEntry
	var createdAt, updatedAt int64
	err := rows.Scan(&entry.Place.Feed, &createdAt, &entry.Place.ID, &entry.Version, &updatedAt, &entry.Body)
	entry.Place.CreatedAt, entry.UpdatedAt = time.UnixMicro(createdAt).UTC(), time.UnixMicro(updatedAt).UTC()
	return entry, err
}

// placeCursor is where a page of StoredPlaces ended.
type placeCursor struct {
	Feed      string `json:"f"`
	CreatedAt int64  `json:"t"`
	ID        string `json:"i"`
}

// StoredPlaces implements cqrsfeed.FeedInspector, in the order of the table's key.
func (s *FeedStore[T]) StoredPlaces(ctx context.Context, cursor string, limit int) ([]cqrsfeed.Place, string, error) {
	var from placeCursor // before everything: no feed has the empty name
	if cursor != "" {
		if err := json.Unmarshal([]byte(cursor), &from); err != nil {
			return nil, "", fmt.Errorf("sqlitestore: list entries: %w: %w", cqrsfeed.ErrBadCursor, err)
		}
	}
	limit = cqrsfeed.PageLimit(limit)
	query := `SELECT feed, created_at, item FROM ` + quote(s.tables.entries.name) +
		` WHERE (feed, created_at, item) > (?, ?, ?) ORDER BY feed, created_at, item LIMIT ?`
	places, err := readRows(ctx, s, "list entries", query, []any{from.Feed, from.CreatedAt, from.ID, limit},
		func(rows *sql.Rows) (at cqrsfeed.Place, err error) {
			var createdAt int64
			err = rows.Scan(&at.Feed, &createdAt, &at.ID)
			at.CreatedAt = time.UnixMicro(createdAt).UTC()
			return at, err
		})
	if err != nil || len(places) < limit {
		return places, "", err
	}
	last := places[len(places)-1]
	next, err := json.Marshal(placeCursor{last.Feed, last.CreatedAt.UnixMicro(), last.ID})
	return places, string(next), err
}

// StoredCounts implements cqrsfeed.FeedInspector, by one statement and so of one moment.
func (s *FeedStore[T]) StoredCounts(ctx context.Context, feeds []string) ([]cqrsfeed.StoredCount, error) {
	query := `WITH named (name) AS (VALUES ` + commas(len(feeds), "(?)") + `)
SELECT named.name, coalesce(f.count, 0), coalesce(f.rev, 0),
	(SELECT count(*) FROM ` + quote(s.tables.entries.name) + ` e WHERE e.feed = named.name)
FROM named LEFT JOIN ` + quote(s.tables.feeds.name) + ` f ON f.name = named.name`
	return readRows(ctx, s, fmt.Sprintf("count %d feeds", len(feeds)), query, anys(feeds),
		func(rows *sql.Rows) (cqrsfeed.StoredCount, error) {
			c := cqrsfeed.StoredCount{Exact: true}
			return c, rows.Scan(&c.Feed, &c.Count, &c.Revision, &c.Entries)
		})
}
