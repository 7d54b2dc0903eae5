package sqlitestore

import (
	"context"
	"database/sql"
	"fmt"
	"strings"
)

// readRows reads all rows of a query. Without arguments there is nothing to ask for, and it returns nothing.
func readRows[T, V any](
	ctx context.Context, s *FeedStore[T], what, query string, args []any, scan func(*sql.Rows) (V, error),
) ([]V, error) {
	if len(args) == 0 {
		return nil, nil
	}
	var values []V
	err := s.database.Retry(ctx, func() error {
		values = nil
		rows, err := s.database.DB().QueryContext(ctx, query, args...)
		if err != nil {
			return err
		}
		defer rows.Close()
		for rows.Next() {
			value, err := scan(rows)
			if err != nil {
				return err
			}
			values = append(values, value)
		}
		return rows.Err()
	})
	if err != nil {
		return nil, fmt.Errorf("sqlitestore: %s: %w", what, err)
	}
	return values, nil
}

// commas repeats the text n times, with commas in between.
func commas(n int, text string) string {
	return strings.TrimSuffix(strings.Repeat(text+", ", n), ", ")
}

func anys[V any](values []V) []any {
	all := make([]any, 0, len(values))
	for _, value := range values {
		all = append(all, value)
	}
	return all
}
