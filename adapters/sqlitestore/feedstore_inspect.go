package sqlitestore

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"time"

	"github.com/feedmill/feedmill/cqrsfeed/driver"
	"github.com/feedmill/feedmill/cqrsfeed/readmodel"
)

// StoredIDs implements readmodel.Inspector.
func (s *FeedStore[T]) StoredIDs(ctx context.Context, after string, limit int) ([]string, error) {
	return readRows(ctx, s, "list items after "+after, s.tables.selectIDs, []any{after, driver.PageLimit(limit)},
		func(rows *sql.Rows) (id string, err error) { return id, rows.Scan(&id) })
}

// StoredItems implements readmodel.Inspector. The feeds are those of the entries.
func (s *FeedStore[T]) StoredItems(ctx context.Context, ids []string) ([]readmodel.StoredItem, error) {
	query := s.tables.selectStored + `(` + commas(len(ids), "?") + `)`
	return readRows(ctx, s, fmt.Sprintf("read %d items", len(ids)), query, anys(ids), scanStoredItem)
}

func scanStoredItem(rows *sql.Rows) (readmodel.StoredItem, error) {
	var item readmodel.StoredItem
	var createdAt, updatedAt int64
	var feeds []byte
	if err := rows.Scan(&item.ID, &item.Version, &createdAt, &updatedAt, &item.Body, &feeds); err != nil {
		return item, err
	}
	item.CreatedAt, item.UpdatedAt = time.UnixMicro(createdAt).UTC(), time.UnixMicro(updatedAt).UTC()
	if err := json.Unmarshal(feeds, &item.Feeds); err != nil {
		return item, fmt.Errorf("decode feeds of item %q: %w", item.ID, err)
	}
	return item, nil
}

// StoredCounts implements readmodel.Inspector. One statement reads all at one moment.
func (s *FeedStore[T]) StoredCounts(ctx context.Context, feeds []string) ([]readmodel.StoredCount, error) {
	query := `WITH named (name) AS (VALUES ` + commas(len(feeds), "(?)") + `) ` + s.tables.selectCounts
	return readRows(ctx, s, fmt.Sprintf("count %d feeds", len(feeds)), query, anys(feeds),
		func(rows *sql.Rows) (readmodel.StoredCount, error) {
			c := readmodel.StoredCount{Exact: true}
			return c, rows.Scan(&c.Feed, &c.Count, &c.Revision, &c.Items)
		})
}
