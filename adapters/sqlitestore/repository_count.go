package sqlitestore

import (
	"context"

	"github.com/feedmill/feedmill/cqrsfeed/readmodel"
)

var _ readmodel.ItemCounter = (*Repository[any])(nil)

// CountItems implements readmodel.ItemCounter, by a scan of an index.
func (r *Repository[T]) CountItems(ctx context.Context) (int64, error) {
	return r.inner.CountItems(ctx)
}
