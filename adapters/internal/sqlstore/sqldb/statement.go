package sqldb

import (
	"context"
	"database/sql"
	"strings"
)

// These constants limit one INSERT. They are far below the databases' limits on parameters and packets.
const (
	MaxInsertRows  = 500
	MaxInsertBytes = 1 << 20
)

// InsertLength returns how many of the rows fit into one INSERT: at least one.
func InsertLength(rows int, size func(i int) int) int {
	total := 0
	for i := range rows {
		total += size(i)
		if i == MaxInsertRows || i > 0 && total > MaxInsertBytes {
			return i
		}
	}
	return rows
}

// Commas returns the text n times, with commas in between.
func Commas(text string, n int) string { return strings.TrimSuffix(strings.Repeat(text+", ", n), ", ") }

// Execer is a transaction.
type Execer interface {
	ExecContext(ctx context.Context, query string, args ...any) (sql.Result, error)
}

// Querier is a transaction or a pool.
type Querier interface {
	QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error)
	QueryRowContext(ctx context.Context, query string, args ...any) *sql.Row
}

// Scanner is a *sql.Row or the current row of *sql.Rows.
type Scanner interface{ Scan(dest ...any) error }

// Query returns the results of scan for all rows of a query.
func Query[V any](
	ctx context.Context, from Querier, query string, args []any, scan func(row Scanner) (V, error),
) (values []V, err error) {
	rows, err := from.QueryContext(ctx, query, args...)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	for rows.Next() {
		value, err := scan(rows)
		if err != nil {
			return nil, err
		}
		values = append(values, value)
	}
	return values, rows.Err()
}

// ScanID scans a row with one string.
func ScanID(row Scanner) (id string, err error) {
	err = row.Scan(&id)
	return id, err
}

// Args returns values as the arguments of a statement.
func Args[V any](values []V) []any {
	all := make([]any, len(values))
	for i, value := range values {
		all[i] = value
	}
	return all
}
