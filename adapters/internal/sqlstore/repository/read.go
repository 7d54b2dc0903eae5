package repository

import (
	"context"
	"database/sql"
	"errors"
	"fmt"

	"github.com/feedmill/feedmill/cqrsfeed"
	"github.com/feedmill/feedmill/cqrsfeed/driver"
	"github.com/feedmill/feedmill/cqrsfeed/limits"
)

// Get implements cqrsfeed.Repository.
func (r *Repository[T]) Get(ctx context.Context, id string) (item cqrsfeed.Item[T], err error) {
	defer func() { err = r.wrap("get", id, err) }()
	if err := cqrsfeed.ValidateID(id); err != nil {
		return cqrsfeed.Item[T]{}, err
	}
	var undecodable error
	err = r.database.Retry(ctx, func() (err error) {
		item, undecodable, err = scanItem[T](r.database.DB.QueryRowContext(ctx, r.get, id))
		return err
	})
	switch {
	case errors.Is(err, sql.ErrNoRows):
		return cqrsfeed.Item[T]{}, cqrsfeed.ErrNotFound
	case err != nil:
		return cqrsfeed.Item[T]{}, err
	case item.Deleted:
		return cqrsfeed.Item[T]{}, cqrsfeed.ErrNotFound
	case undecodable != nil:
		return cqrsfeed.Item[T]{}, undecodable
	}
	return item, nil
}

// Scan implements cqrsfeed.Repository.
func (r *Repository[T]) Scan(ctx context.Context, after string, limit int) ([]cqrsfeed.Item[T], error) {
	var s scanned[T]
	err := r.database.Retry(ctx, func() (err error) {
		s, err = r.scanItems(ctx, after, driver.PageLimit(limit))
		return err
	})
	items := s.items
	if err != nil {
		items = nil
	} else {
		err = errors.Join(s.undecodable...)
	}
	if err != nil {
		err = fmt.Errorf("%s: scan items of %s after %q: %w", r.database.Dialect.Name, r.name, after, err)
	}
	return items, err
}

// scanned is the result of a Scan.
type scanned[T any] struct {
	items       []cqrsfeed.Item[T]
	undecodable []error
	last        string // id
	rows, bytes int
}

// fewRows is the number of rows that a Scan reads before it can estimate their size. A database sends all rows of a
// query, even those that are not read.
const fewRows = 16

// scanItems reads rows by several queries, up to a limit or to MaxBatchBytes.
func (r *Repository[T]) scanItems(ctx context.Context, after string, limit int) (scanned[T], error) {
	s := scanned[T]{last: after}
	for ask := min(fewRows, limit); ; {
		before := s.rows
		if err := r.scanRows(ctx, &s, ask); err != nil {
			return s, err
		}
		left := limits.MaxBatchBytes - s.bytes
		if s.rows-before < ask || s.rows >= limit || left <= 0 {
			return s, nil
		}
		ask = min(limit-s.rows, 1+left*s.rows/max(1, s.bytes))
	}
}

// scanRows reads up to limit more rows.
func (r *Repository[T]) scanRows(ctx context.Context, s *scanned[T], limit int) error {
	rows, err := r.database.DB.QueryContext(ctx, r.scan, s.last, limit)
	if err != nil {
		return err
	}
	defer rows.Close()
	for s.bytes < limits.MaxBatchBytes && rows.Next() {
		item, undecodable, err := scanItem[T](rows)
		switch {
		case err != nil:
			return err
		case undecodable != nil:
			s.undecodable = append(s.undecodable, undecodable)
		default:
			s.items = append(s.items, item)
		}
		s.last = item.ID
		s.rows++
		s.bytes += len(item.Encoded)
	}
	return rows.Err()
}

// CountItems returns the number of items, deleted ones included. It reads a whole index.
func (r *Repository[T]) CountItems(ctx context.Context) (int64, error) {
	var count int64
	err := r.database.Retry(ctx, func() error {
		return r.database.DB.QueryRowContext(ctx, r.count).Scan(&count)
	})
	if err != nil {
		return 0, fmt.Errorf("%s: count items of %s: %w", r.database.Dialect.Name, r.name, err)
	}
	return count, nil
}
