package postgresstore

import (
	"context"
	"database/sql"
	"errors"
	"fmt"

	"github.com/feedmill/feedmill/adapters/internal/sqlstore"
	"github.com/feedmill/feedmill/adapters/internal/sqlstore/sqldb"
	"github.com/feedmill/feedmill/cqrsfeed"
	"github.com/feedmill/feedmill/cqrsfeed/driver"
	"github.com/feedmill/feedmill/cqrsfeed/readmodel"
)

// FeedStore keeps feeds in tables. Counts and revisions are exact after each Apply, and writers of one feed do not wait
// for each other.
type FeedStore[T any] struct {
	database *sqldb.Database
	tables   feedTables
}

var _ readmodel.Store[any] = (*FeedStore[any])(nil)

// NewFeedStore returns a feed store. The tables of "note" begin with note_feed_, after the store's TablePrefix. The
// rules for names are those of NewRepository. A repository and a feed store may share a name. NewFeedStore does not
// touch the database: Store.EnsureSchema creates the tables.
func NewFeedStore[T any](store *Store, name string) (*FeedStore[T], error) {
	if owner := sqlstore.NameOf(store); owner != packageName {
		return nil, fmt.Errorf("%s: new feed store %q: %w: the store is one of %q", packageName, name, cqrsfeed.ErrInvalid, owner)
	}
	if err := driver.CheckBody[T](); err != nil {
		return nil, fmt.Errorf("%s: new feed store %q: %w", packageName, name, err)
	}
	s := &FeedStore[T]{}
	part, err := sqlstore.Attach(store, "feed store", name, func(_ *sqldb.Dialect, base string) []sqldb.Table {
		s.tables = newFeedTables(base + "_feed_")
		return s.tables.all()
	})
	if err != nil {
		return nil, err
	}
	s.database = part.Database
	return s, nil
}

// ItemVersion implements cqrsfeed.FeedStore.
func (s *FeedStore[T]) ItemVersion(ctx context.Context, id string) (int64, error) {
	if err := cqrsfeed.ValidateID(id); err != nil {
		return 0, fmt.Errorf("postgresstore: version of item: %w", err)
	}
	var version int64
	err := s.database.Retry(ctx, func() error {
		return s.database.DB.QueryRowContext(ctx, s.tables.selectVersion, id).Scan(&version)
	})
	if err != nil && !errors.Is(err, sql.ErrNoRows) {
		return 0, fmt.Errorf("postgresstore: version of item %q: %w", id, err)
	}
	return version, nil
}

// readRows returns the results of scan for all rows of a query.
func readRows[T, V any](
	ctx context.Context, s *FeedStore[T], what, query string, args []any, scan func(sqldb.Scanner) (V, error),
) (values []V, err error) {
	err = s.database.Retry(ctx, func() (err error) {
		values, err = sqldb.Query(ctx, s.database.DB, query, args, scan)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("postgresstore: %s: %w", what, err)
	}
	return values, nil
}
