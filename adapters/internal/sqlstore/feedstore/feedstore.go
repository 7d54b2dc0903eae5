// Package feedstore implements readmodel.Store on the tables of one SQL database. What each kind of database does in its own
// way is the Access to its Tables.
package feedstore

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

// Store keeps feeds in tables: see postgresstore.FeedStore and sqlitestore.FeedStore. Counts and revisions are exact after
// each Apply, Restate, Forget and RecountFeeds, which are one transaction each. The revisions that they return are those
// after the commit.
type Store[T any] struct {
	database  *sqldb.Database
	access    Access[T]
	sql       Reads
	oneWriter bool
}

var (
	_ readmodel.Store[any]     = (*Store[any])(nil)
	_ cqrsfeed.UnionStore[any] = (*Store[any])(nil)
)

// Tables are the tables of a feed store on one kind of database.
type Tables[T any] struct {
	Schema []sqldb.Table
	Reads  Reads
	Access Access[T]
	// OneWriter says that transactions which change the tables run one after the other.
	OneWriter bool
}

// Reads are statements that read.
type Reads struct {
	Version   string // of the item of an id
	Feeds     string // name, revision and count of the feeds behind a name that have items, up to a limit
	Heads     string // name, revision and count of a list of feeds
	Revisions string // name and revision of a list of feeds, by name
	IDs       string // of the items behind an id, up to a limit
	Items     string // a list of ids: see scanStoredItem
	Counts    string // a list of feeds: name, count, revision, and how many items the pages have
}

// New returns a feed store: see sqlitestore.NewFeedStore. owner is the dialect that the store must have.
func New[T any](
	store *sqlstore.Store, owner, name string, tables func(database *sqldb.Database, prefix string) Tables[T],
) (*Store[T], error) {
	if dialect := sqlstore.NameOf(store); dialect != owner {
		return nil, fmt.Errorf("%s: new feed store %q: %w: the store is one of %q", owner, name, cqrsfeed.ErrInvalid, dialect)
	}
	if err := driver.CheckBody[T](); err != nil {
		return nil, fmt.Errorf("%s: new feed store %q: %w", owner, name, err)
	}
	s := &Store[T]{}
	_, err := sqlstore.Attach(store, "feed store", name, func(database *sqldb.Database, base string) []sqldb.Table {
		made := tables(database, base+"_feed_")
		s.database, s.access, s.sql, s.oneWriter = database, made.Access, made.Reads, made.OneWriter
		return made.Schema
	})
	if err != nil {
		return nil, err
	}
	return s, nil
}

// ItemVersion implements cqrsfeed.FeedStore.
func (s *Store[T]) ItemVersion(ctx context.Context, id string) (version int64, err error) {
	if err := cqrsfeed.ValidateID(id); err != nil {
		return 0, s.wrap("version of item", err)
	}
	err = s.database.Retry(ctx, func() error {
		return s.database.DB.QueryRowContext(ctx, s.sql.Version, id).Scan(&version)
	})
	if err != nil && !errors.Is(err, sql.ErrNoRows) {
		return 0, s.wrap(fmt.Sprintf("version of item %q", id), err)
	}
	return version, nil
}

// Feeds implements cqrsfeed.FeedStore.
func (s *Store[T]) Feeds(ctx context.Context, after string, limit int) ([]cqrsfeed.Feed, error) {
	return read(ctx, s, fmt.Sprintf("list feeds after %q", after), s.sql.Feeds, []any{after, driver.PageLimit(limit)}, scanFeed)
}

func scanFeed(row sqldb.Scanner) (feed cqrsfeed.Feed, err error) {
	err = row.Scan(&feed.Name, &feed.Revision, &feed.Count)
	return feed, err
}

// Page implements cqrsfeed.FeedStore.
func (s *Store[T]) Page(ctx context.Context, feed, cursor string, limit int) (page cqrsfeed.FeedPage[T], err error) {
	if err := cqrsfeed.ValidateFeed(feed); err != nil {
		return page, s.wrap("read page", err)
	}
	after, err := positionOf(cursor)
	if err != nil {
		return page, s.wrap(fmt.Sprintf("read page of feed %q", feed), err)
	}
	err = s.database.Retry(ctx, func() (err error) {
		page, err = s.access.ReadPage(ctx, feed, after, driver.PageLimit(limit))
		return err
	})
	if err != nil {
		return cqrsfeed.FeedPage[T]{}, s.wrap(fmt.Sprintf("read page of feed %q", feed), err)
	}
	return page, nil
}

// Union implements cqrsfeed.UnionStore. The feeds are read before their items, so that a page shows at least what their
// revisions stand for.
func (s *Store[T]) Union(ctx context.Context, feeds []string, cursor string, limit int) (cqrsfeed.FeedPage[T], error) {
	page, err := s.union(ctx, feeds, cursor, driver.PageLimit(limit))
	if err != nil {
		return cqrsfeed.FeedPage[T]{}, s.wrap(fmt.Sprintf("read page of the union of %d feeds", len(feeds)), err)
	}
	return page.FeedPage, nil
}

func (s *Store[T]) union(ctx context.Context, feeds []string, cursor string, limit int) (page driver.Page[T], err error) {
	names, err := driver.UnionNames(feeds)
	if err != nil {
		return page, err
	}
	after, err := positionOf(cursor)
	if err != nil || len(names) == 0 {
		return driver.NewUnion[T](nil, nil, limit), err
	}
	err = s.database.Retry(ctx, func() error {
		heads, err := sqldb.Query(ctx, s.database.DB, s.sql.Heads, []any{s.access.List(names)}, scanFeed)
		if err != nil {
			return err
		}
		page = driver.NewUnion[T](names, heads, limit)
		return s.access.ReadUnion(ctx, &page, names, after, limit)
	})
	return page, err
}

// positionOf returns the position of a cursor, or nil if there is none.
func positionOf(cursor string) (*driver.Position, error) {
	if cursor == "" {
		return nil, nil //nolint:nilnil // the first page is behind nothing
	}
	position, err := driver.DecodeCursor(cursor)
	return &position, err
}

// read returns the results of scan for all rows of a query.
func read[T, V any](
	ctx context.Context, s *Store[T], what, query string, args []any, scan func(sqldb.Scanner) (V, error),
) (values []V, err error) {
	err = s.database.Retry(ctx, func() (err error) {
		values, err = sqldb.Query(ctx, s.database.DB, query, args, scan)
		return err
	})
	if err != nil {
		return nil, s.wrap(what, err)
	}
	return values, nil
}

// wrap adds what was being done.
func (s *Store[T]) wrap(what string, err error) error {
	return fmt.Errorf("%s: %s: %w", s.database.Dialect.Name, what, err)
}
