package sqlitestore

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"time"

	"github.com/feedmill/feedmill/cqrsfeed"
	"github.com/feedmill/feedmill/cqrsfeed/driver"
	"github.com/feedmill/feedmill/cqrsfeed/readmodel"
)

var _ readmodel.Inspector = (*FeedStore[any])(nil)

// StoredIDs implements readmodel.Inspector.
func (s *FeedStore[T]) StoredIDs(ctx context.Context, after string, limit int) ([]string, error) {
	query := `SELECT id FROM ` + quote(s.tables.items.Name) + ` WHERE id > ? ORDER BY id LIMIT ?`
	return readRows(ctx, s, "list items after "+after, query, []any{after, driver.PageLimit(limit)},
		func(rows *sql.Rows) (id string, err error) { return id, rows.Scan(&id) })
}

// StoredItems implements readmodel.Inspector.
func (s *FeedStore[T]) StoredItems(ctx context.Context, ids []string) ([]readmodel.StoredItem, error) {
	query := `SELECT id, v, created_at, feeds FROM ` + quote(s.tables.items.Name) + ` WHERE id IN (` + commas(len(ids), "?") + `)`
	return readRows(ctx, s, fmt.Sprintf("read %d items", len(ids)), query, anys(ids), scanStoredItem)
}

func scanStoredItem(rows *sql.Rows) (readmodel.StoredItem, error) {
	var item readmodel.StoredItem
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
		item.Places = append(item.Places, readmodel.Place{Feed: feed, CreatedAt: time.UnixMicro(createdAt).UTC(), ID: item.ID})
	}
	return item, nil
}

// StoredEntries implements readmodel.Inspector.
func (s *FeedStore[T]) StoredEntries(ctx context.Context, places []readmodel.Place) ([]readmodel.StoredEntry, error) {
	args := make([]any, 0, 3*len(places))
	for _, at := range places {
		args = append(args, at.Feed, at.CreatedAt.UnixMicro(), at.ID)
	}
	query := `SELECT feed, created_at, item, v, updated_at, body FROM ` + quote(s.tables.entries.Name) +
		` WHERE (feed, created_at, item) IN (VALUES ` + commas(len(places), "(?, ?, ?)") + `)`
	return readRows(ctx, s, fmt.Sprintf("read %d entries", len(places)), query, args, scanStoredEntry)
}

func scanStoredEntry(rows *sql.Rows) (readmodel.StoredEntry, error) {
	var entry readmodel.StoredEntry
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

// StoredPlaces implements readmodel.Inspector, in the order of the table's key.
func (s *FeedStore[T]) StoredPlaces(ctx context.Context, cursor string, limit int) ([]readmodel.Place, string, error) {
	var from placeCursor // before everything: no feed has the empty name
	if cursor != "" {
		if err := json.Unmarshal([]byte(cursor), &from); err != nil {
			return nil, "", fmt.Errorf("sqlitestore: list entries: %w: %w", cqrsfeed.ErrBadCursor, err)
		}
	}
	limit = driver.PageLimit(limit)
	query := `SELECT feed, created_at, item FROM ` + quote(s.tables.entries.Name) +
		` WHERE (feed, created_at, item) > (?, ?, ?) ORDER BY feed, created_at, item LIMIT ?`
	places, err := readRows(ctx, s, "list entries", query, []any{from.Feed, from.CreatedAt, from.ID, limit},
		func(rows *sql.Rows) (at readmodel.Place, err error) {
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

// StoredCounts implements readmodel.Inspector, by one statement and so of one moment.
func (s *FeedStore[T]) StoredCounts(ctx context.Context, feeds []string) ([]readmodel.StoredCount, error) {
	query := `WITH named (name) AS (VALUES ` + commas(len(feeds), "(?)") + `)
SELECT named.name, coalesce(f.count, 0), coalesce(f.rev, 0),
	(SELECT count(*) FROM ` + quote(s.tables.entries.Name) + ` e WHERE e.feed = named.name)
FROM named LEFT JOIN ` + quote(s.tables.feeds.Name) + ` f ON f.name = named.name`
	return readRows(ctx, s, fmt.Sprintf("count %d feeds", len(feeds)), query, anys(feeds),
		func(rows *sql.Rows) (readmodel.StoredCount, error) {
			c := readmodel.StoredCount{Exact: true}
			return c, rows.Scan(&c.Feed, &c.Count, &c.Revision, &c.Entries)
		})
}
