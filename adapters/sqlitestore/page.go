package sqlitestore

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"github.com/feedmill/feedmill/adapters/internal/sqlstore/sqldb"
	"github.com/feedmill/feedmill/cqrsfeed"
	"github.com/feedmill/feedmill/cqrsfeed/driver"
)

// Feeds implements cqrsfeed.FeedStore.
func (s *FeedStore[T]) Feeds(ctx context.Context, after string, limit int) ([]cqrsfeed.Feed, error) {
	return readRows(ctx, s, fmt.Sprintf("list feeds after %q", after), s.tables.selectFeeds, []any{after, driver.PageLimit(limit)},
		func(row sqldb.Scanner) (feed cqrsfeed.Feed, err error) {
			err = row.Scan(&feed.Name, &feed.Revision, &feed.Count)
			return feed, err
		})
}

// Page implements cqrsfeed.FeedStore. Items, count and revision are read in one transaction.
func (s *FeedStore[T]) Page(ctx context.Context, feed, cursor string, limit int) (cqrsfeed.FeedPage[T], error) {
	if err := cqrsfeed.ValidateFeed(feed); err != nil {
		return cqrsfeed.FeedPage[T]{}, fmt.Errorf("sqlitestore: read page: %w", err)
	}
	query, args := s.tables.selectPage, []any{feed}
	if cursor != "" {
		from, err := driver.DecodeCursor(cursor)
		if err != nil {
			return cqrsfeed.FeedPage[T]{}, fmt.Errorf("sqlitestore: read page of feed %q: %w", feed, err)
		}
		query, args = s.tables.selectNext, []any{feed, from.CreatedAt.UnixMicro(), from.ID}
	}
	limit = driver.PageLimit(limit)
	var page cqrsfeed.FeedPage[T]
	err := s.database.Retry(ctx, func() (err error) {
		page, err = s.page(ctx, feed, limit, query, append(args, limit+1)...)
		return err
	})
	if err != nil {
		return cqrsfeed.FeedPage[T]{}, fmt.Errorf("sqlitestore: read page of feed %q: %w", feed, err)
	}
	return page, nil
}

func (s *FeedStore[T]) page(ctx context.Context, feed string, limit int, query string, args ...any) (cqrsfeed.FeedPage[T], error) {
	page := driver.NewPage[T](cqrsfeed.Feed{Name: feed}, limit)
	selectFeed, feedErr := s.reads.prepare(ctx, s.tables.selectFeed)
	selectPage, pageErr := s.reads.prepare(ctx, query)
	if err := errors.Join(feedErr, pageErr); err != nil {
		return page.FeedPage, err
	}
	tx, err := s.database.DB.BeginTx(ctx, &sql.TxOptions{ReadOnly: true})
	if err != nil {
		return page.FeedPage, err
	}
	defer func() { _ = tx.Rollback() }() // it has only read
	//nolint:sqlclosecheck // the transaction closes its statements
	err = tx.StmtContext(ctx, selectFeed).QueryRowContext(ctx, feed).Scan(&page.Feed.Revision, &page.Feed.Count)
	if err != nil && !errors.Is(err, sql.ErrNoRows) {
		return page.FeedPage, err
	}
	rows, err := tx.StmtContext(ctx, selectPage).QueryContext(ctx, args...) //nolint:sqlclosecheck // as above
	if err != nil {
		return page.FeedPage, err
	}
	defer rows.Close()
	for rows.Next() {
		item, err := scanItem[T](rows)
		if err != nil {
			return page.FeedPage, err
		}
		if !page.Add(item) {
			break
		}
	}
	return page.FeedPage, rows.Err()
}

// scanItem returns an item whose body is not decoded.
func scanItem[T any](rows *sql.Rows) (item cqrsfeed.Item[T], err error) {
	var createdAt, updatedAt int64
	err = rows.Scan(&createdAt, &item.ID, &item.Version, &updatedAt, (*[]byte)(&item.Encoded))
	item.CreatedAt = time.UnixMicro(createdAt).UTC()
	item.UpdatedAt = time.UnixMicro(updatedAt).UTC()
	return item, err
}
