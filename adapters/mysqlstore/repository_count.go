package mysqlstore

import "context"

// CountItems returns the number of items, deleted ones included. It scans an index.
func (r *Repository[T]) CountItems(ctx context.Context) (int64, error) {
	return r.inner.CountItems(ctx)
}
