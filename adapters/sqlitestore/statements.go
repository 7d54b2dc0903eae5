package sqlitestore

import (
	"context"
	"database/sql"
	"sync"
)

// statements prepares each statement of a transaction once.
type statements struct {
	tx       *sql.Conn
	prepared map[string]*sql.Stmt
}

func (s statements) prepare(ctx context.Context, query string) (*sql.Stmt, error) {
	if stmt, ok := s.prepared[query]; ok {
		return stmt, nil
	}
	stmt, err := s.tx.PrepareContext(ctx, query)
	if err != nil {
		return nil, err
	}
	s.prepared[query] = stmt
	return stmt, nil
}

func (s statements) exec(ctx context.Context, query string, args ...any) error {
	stmt, err := s.prepare(ctx, query) //nolint:sqlclosecheck // close closes them all
	if err != nil {
		return err
	}
	_, err = stmt.ExecContext(ctx, args...)
	return err
}

// queryRow reads the one row into dest, or returns sql.ErrNoRows.
func (s statements) queryRow(ctx context.Context, query string, dest []any, args ...any) error {
	stmt, err := s.prepare(ctx, query) //nolint:sqlclosecheck // close closes them all
	if err != nil {
		return err
	}
	return stmt.QueryRowContext(ctx, args...).Scan(dest...)
}

// queryEntries reads the entries of an item.
func (s statements) queryEntries(ctx context.Context, query, id string) ([]entry, error) {
	stmt, err := s.prepare(ctx, query) //nolint:sqlclosecheck // close closes them all
	if err != nil {
		return nil, err
	}
	rows, err := stmt.QueryContext(ctx, id)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var entries []entry
	for rows.Next() {
		var e entry
		if err := rows.Scan(&e.feed, &e.createdAt, &e.n); err != nil {
			return nil, err
		}
		entries = append(entries, e)
	}
	return entries, rows.Err()
}

// close ignores errors: the commit reports whether the transaction succeeded.
func (s statements) close() {
	for _, stmt := range s.prepared {
		_ = stmt.Close()
	}
}

// preparedReads prepares each query once for all connections. Closing the database closes the statements.
type preparedReads struct {
	mu         sync.Mutex
	statements map[string]*sql.Stmt
}

func (r *preparedReads) prepare(ctx context.Context, db *sql.DB, queries ...string) ([]*sql.Stmt, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.statements == nil {
		r.statements = make(map[string]*sql.Stmt)
	}
	all := make([]*sql.Stmt, len(queries))
	for i, query := range queries {
		if r.statements[query] == nil {
			stmt, err := db.PrepareContext(ctx, query) //nolint:sqlclosecheck // the database closes it
			if err != nil {
				return nil, err
			}
			r.statements[query] = stmt
		}
		all[i] = r.statements[query]
	}
	return all, nil
}
