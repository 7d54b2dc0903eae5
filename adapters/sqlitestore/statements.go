package sqlitestore

import (
	"context"
	"database/sql"
	"sync"

	"github.com/feedmill/feedmill/adapters/internal/sqlstore/feedstore"
)

// statements prepares each query once, in a transaction or for all connections of a database. It is safe for concurrent
// use.
type statements struct {
	from interface {
		PrepareContext(ctx context.Context, query string) (*sql.Stmt, error)
	}

	mu       sync.Mutex
	prepared map[string]*sql.Stmt
}

func (s *statements) prepare(ctx context.Context, query string) (*sql.Stmt, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if stmt, ok := s.prepared[query]; ok {
		return stmt, nil
	}
	stmt, err := s.from.PrepareContext(ctx, query) //nolint:sqlclosecheck // close closes it, or the database
	if err != nil {
		return nil, err
	}
	if s.prepared == nil {
		s.prepared = map[string]*sql.Stmt{}
	}
	s.prepared[query] = stmt
	return stmt, nil
}

func (s *statements) exec(ctx context.Context, query string, args ...any) error {
	stmt, err := s.prepare(ctx, query) //nolint:sqlclosecheck // close closes them all
	if err != nil {
		return err
	}
	_, err = stmt.ExecContext(ctx, args...)
	return err
}

// queryRow reads the one row into dest, or returns sql.ErrNoRows.
func (s *statements) queryRow(ctx context.Context, query string, dest []any, args ...any) error {
	stmt, err := s.prepare(ctx, query) //nolint:sqlclosecheck // close closes them all
	if err != nil {
		return err
	}
	return stmt.QueryRowContext(ctx, args...).Scan(dest...)
}

// queryEntries reads the entries of an item.
func (s *statements) queryEntries(ctx context.Context, query, id string) ([]feedstore.Entry, error) {
	stmt, err := s.prepare(ctx, query) //nolint:sqlclosecheck // close closes them all
	if err != nil {
		return nil, err
	}
	rows, err := stmt.QueryContext(ctx, id)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var entries []feedstore.Entry
	for rows.Next() {
		var e feedstore.Entry
		if err := rows.Scan(&e.Feed, &e.CreatedAt, &e.Item, &e.Row); err != nil {
			return nil, err
		}
		entries = append(entries, e)
	}
	return entries, rows.Err()
}

// close ignores errors: the commit reports whether the transaction succeeded.
func (s *statements) close() {
	for _, stmt := range s.prepared {
		_ = stmt.Close()
	}
}
