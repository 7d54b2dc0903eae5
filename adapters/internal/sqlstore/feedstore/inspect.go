package feedstore

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/feedmill/feedmill/adapters/internal/sqlstore/sqldb"
	"github.com/feedmill/feedmill/cqrsfeed/driver"
	"github.com/feedmill/feedmill/cqrsfeed/readmodel"
)

// StoredIDs implements readmodel.Inspector.
func (s *Store[T]) StoredIDs(ctx context.Context, after string, limit int) ([]string, error) {
	return read(ctx, s, "list items after "+after, s.sql.IDs, []any{after, driver.PageLimit(limit)}, sqldb.ScanID)
}

// StoredItems implements readmodel.Inspector. The feeds are those of the entries.
func (s *Store[T]) StoredItems(ctx context.Context, ids []string) ([]readmodel.StoredItem, error) {
	if len(ids) == 0 {
		return nil, nil
	}
	return read(ctx, s, fmt.Sprintf("read %d items", len(ids)), s.sql.Items, []any{s.access.List(ids)}, scanStoredItem)
}

func scanStoredItem(row sqldb.Scanner) (readmodel.StoredItem, error) {
	var item readmodel.StoredItem
	var createdAt, updatedAt int64
	var feeds []byte
	if err := row.Scan(&item.ID, &item.Version, &item.Rule, &item.Withheld, &createdAt, &updatedAt, &item.Body, &feeds); err != nil {
		return item, err
	}
	item.CreatedAt, item.UpdatedAt = time.UnixMicro(createdAt).UTC(), time.UnixMicro(updatedAt).UTC()
	if err := json.Unmarshal(feeds, &item.Feeds); err != nil {
		return item, fmt.Errorf("decode feeds of item %q: %w", item.ID, err)
	}
	return item, nil
}

// StoredCounts implements readmodel.Inspector. It reads all counts in one statement, and so from one snapshot.
func (s *Store[T]) StoredCounts(ctx context.Context, feeds []string) ([]readmodel.StoredCount, error) {
	if len(feeds) == 0 {
		return nil, nil
	}
	return read(ctx, s, fmt.Sprintf("count %d feeds", len(feeds)), s.sql.Counts, []any{s.access.List(feeds)},
		func(row sqldb.Scanner) (readmodel.StoredCount, error) {
			c := readmodel.StoredCount{Exact: true}
			err := row.Scan(&c.Feed, &c.Count, &c.Revision, &c.Items)
			return c, err
		})
}
