package sqlstore

import (
	"context"
	"fmt"
)

// CountItems returns the number of items, deleted ones included.
func (r *Repository[T]) CountItems(ctx context.Context) (int64, error) {
	query := "SELECT COUNT(*) FROM " + r.database.dialect.Quote(r.config.Table)
	var count int64
	err := r.database.Retry(ctx, func() error {
		return r.database.db.QueryRowContext(ctx, query).Scan(&count)
	})
	if err != nil {
		return 0, fmt.Errorf("%s: count table %s: %w", r.database.dialect.Name, r.config.Table, err)
	}
	return count, nil
}
