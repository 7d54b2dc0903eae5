package sqlitestore

import (
	"context"
	"fmt"

	"github.com/feedmill/feedmill/adapters/internal/sqlstore/sqldb"
)

// readRows returns the results of scan for all rows of a query. Without arguments it returns nothing.
func readRows[T, V any](
	ctx context.Context, s *FeedStore[T], what, query string, args []any, scan func(sqldb.Scanner) (V, error),
) (values []V, err error) {
	if len(args) == 0 {
		return nil, nil
	}
	err = s.database.Retry(ctx, func() (err error) {
		values, err = sqldb.Query(ctx, s.database.DB, query, args, scan)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("sqlitestore: %s: %w", what, err)
	}
	return values, nil
}
