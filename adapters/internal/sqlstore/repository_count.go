package sqlstore

import (
	"context"
	"fmt"
)

// CountItems returns the number of items, deleted ones included.
func (r *Repository[T]) CountItems(ctx context.Context) (int64, error) {
	var count int64
	err := r.database.Retry(ctx, func() error {
		return r.database.db.QueryRowContext(ctx, r.count).Scan(&count)
	})
	if err != nil {
		return 0, fmt.Errorf("%s: count items of %s: %w", r.database.dialect.Name, r.name, err)
	}
	return count, nil
}
