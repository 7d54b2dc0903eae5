package sqlstore

import (
	"context"
	"database/sql"
	"errors"
	"fmt"

	"github.com/feedmill/feedmill/cqrsfeed"
	"github.com/feedmill/feedmill/cqrsfeed/driver"
)

// Get implements cqrsfeed.Repository.
func (r *Repository[T]) Get(ctx context.Context, id string) (cqrsfeed.Item[T], error) {
	item, err := r.read(ctx, id)
	return item, r.wrap("get", id, err)
}

func (r *Repository[T]) read(ctx context.Context, id string) (cqrsfeed.Item[T], error) {
	if err := cqrsfeed.ValidateID(id); err != nil {
		return cqrsfeed.Item[T]{}, err
	}
	var found stored[T]
	err := r.database.Retry(ctx, func() (err error) {
		found, err = scanItem[T](r.database.db.QueryRowContext(ctx, r.get, id))
		return err
	})
	switch {
	case errors.Is(err, sql.ErrNoRows):
		return cqrsfeed.Item[T]{}, cqrsfeed.ErrNotFound
	case err != nil:
		return cqrsfeed.Item[T]{}, err
	case found.item.Deleted:
		return cqrsfeed.Item[T]{}, cqrsfeed.ErrNotFound
	}
	return found.item, nil
}

// Scan implements cqrsfeed.Repository.
func (r *Repository[T]) Scan(ctx context.Context, after string, limit int) ([]cqrsfeed.Item[T], error) {
	var items []cqrsfeed.Item[T]
	err := r.database.Retry(ctx, func() (err error) {
		items, err = r.scanPage(ctx, after, driver.PageLimit(limit))
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("%s: scan items of %s after %q: %w", r.database.dialect.Name, r.name, after, err)
	}
	return items, nil
}

func (r *Repository[T]) scanPage(ctx context.Context, after string, limit int) ([]cqrsfeed.Item[T], error) {
	rows, err := r.database.db.QueryContext(ctx, r.scan, after, limit)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var items []cqrsfeed.Item[T]
	for rows.Next() {
		found, err := scanItem[T](rows)
		if err != nil {
			return nil, err
		}
		items = append(items, found.item)
	}
	return items, rows.Err()
}

// CountItems returns the number of items, deleted ones included. It reads a whole index.
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
