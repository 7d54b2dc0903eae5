package postgresstore

import (
	"context"
	"database/sql"
	"fmt"
	"time"

	"github.com/feedmill/feedmill/adapters/internal/sqlstore/sqldb"
	"github.com/feedmill/feedmill/cqrsfeed"
	"github.com/feedmill/feedmill/cqrsfeed/driver"
	"github.com/feedmill/feedmill/cqrsfeed/limits"
)

// Feeds implements cqrsfeed.FeedStore.
func (s *FeedStore[T]) Feeds(ctx context.Context, after string, limit int) ([]cqrsfeed.Feed, error) {
	return readRows(ctx, s, fmt.Sprintf("list feeds after %q", after), s.tables.selectFeeds, []any{after, driver.PageLimit(limit)},
		func(row sqldb.Scanner) (feed cqrsfeed.Feed, err error) {
			err = row.Scan(&feed.Name, &feed.Revision, &feed.Count)
			return feed, err
		})
}

// Page implements cqrsfeed.FeedStore. One statement reads items, count and revision.
func (s *FeedStore[T]) Page(ctx context.Context, feed, cursor string, limit int) (cqrsfeed.FeedPage[T], error) {
	if err := cqrsfeed.ValidateFeed(feed); err != nil {
		return cqrsfeed.FeedPage[T]{}, fmt.Errorf("postgresstore: read page: %w", err)
	}
	limit = driver.PageLimit(limit)
	query, args := s.tables.selectPage, []any{feed, limit + 1, limits.MaxPageBytes}
	if cursor != "" {
		from, err := driver.DecodeCursor(cursor)
		if err != nil {
			return cqrsfeed.FeedPage[T]{}, fmt.Errorf("postgresstore: read page of feed %q: %w", feed, err)
		}
		query, args = s.tables.selectNext, append(args, from.CreatedAt.UnixMicro(), from.ID)
	}
	var page cqrsfeed.FeedPage[T]
	err := s.database.Retry(ctx, func() (err error) {
		page, err = s.page(ctx, feed, limit, query, args)
		return err
	})
	if err != nil {
		return cqrsfeed.FeedPage[T]{}, fmt.Errorf("postgresstore: read page of feed %q: %w", feed, err)
	}
	return page, nil
}

func (s *FeedStore[T]) page(ctx context.Context, feed string, limit int, query string, args []any) (cqrsfeed.FeedPage[T], error) {
	page := driver.NewPage[T](cqrsfeed.Feed{Name: feed}, limit)
	rows, err := s.database.DB.QueryContext(ctx, query, args...)
	if err != nil {
		return page.FeedPage, err
	}
	defer rows.Close()
	for rows.Next() {
		var row pageRow
		if err := row.scan(rows, &page.Feed); err != nil {
			return page.FeedPage, err
		}
		if !row.id.Valid { // an empty page has the feed alone
			break
		}
		if !page.Add(item[T](row)) {
			break
		}
	}
	return page.FeedPage, rows.Err()
}

// pageRow is an item of a page.
type pageRow struct {
	id                            sql.NullString
	createdAt, version, updatedAt sql.NullInt64
	body                          []byte
}

func (r *pageRow) scan(row sqldb.Scanner, feed *cqrsfeed.Feed) error {
	return row.Scan(&feed.Revision, &feed.Count, &r.createdAt, &r.id, &r.version, &r.updatedAt, &r.body)
}

// item returns the item of a row. Its body is not decoded.
func item[T any](r pageRow) cqrsfeed.Item[T] {
	return cqrsfeed.Item[T]{
		ID: r.id.String, Version: r.version.Int64, Encoded: r.body,
		CreatedAt: time.UnixMicro(r.createdAt.Int64).UTC(), UpdatedAt: time.UnixMicro(r.updatedAt.Int64).UTC(),
	}
}
