package sqlitestore

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/feedmill/feedmill/cqrsfeed"
	"github.com/feedmill/feedmill/cqrsfeed/driver"
)

// Feeds implements cqrsfeed.FeedStore.
func (s *FeedStore[T]) Feeds(ctx context.Context, after string, limit int) ([]cqrsfeed.Feed, error) {
	var feeds []cqrsfeed.Feed
	err := s.database.Retry(ctx, func() (err error) {
		feeds, err = s.feeds(ctx, after, driver.PageLimit(limit))
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("sqlitestore: list feeds after %q: %w", after, err)
	}
	return feeds, nil
}

func (s *FeedStore[T]) feeds(ctx context.Context, after string, limit int) ([]cqrsfeed.Feed, error) {
	rows, err := s.database.DB().QueryContext(ctx, s.tables.selectFeeds, after, limit)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var feeds []cqrsfeed.Feed
	for rows.Next() {
		var feed cqrsfeed.Feed
		if err := rows.Scan(&feed.Name, &feed.Revision, &feed.Count); err != nil {
			return nil, err
		}
		feeds = append(feeds, feed)
	}
	return feeds, rows.Err()
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

// page reads one item more than the page has, to know whether another page follows.
func (s *FeedStore[T]) page(ctx context.Context, feed string, limit int, query string, args ...any) (cqrsfeed.FeedPage[T], error) {
	page := cqrsfeed.FeedPage[T]{Feed: cqrsfeed.Feed{Name: feed}, Items: []cqrsfeed.Item[T]{}}
	reads, err := s.reads.prepare(ctx, s.database.DB(), s.tables.selectFeed, query)
	if err != nil {
		return page, err
	}
	tx, err := s.database.DB().BeginTx(ctx, &sql.TxOptions{ReadOnly: true})
	if err != nil {
		return page, err
	}
	defer func() { _ = tx.Rollback() }() // it has only read
	//nolint:sqlclosecheck // the transaction closes its statements
	err = tx.StmtContext(ctx, reads[0]).QueryRowContext(ctx, feed).Scan(&page.Feed.Revision, &page.Feed.Count)
	if err != nil && !errors.Is(err, sql.ErrNoRows) {
		return page, err
	}
	rows, err := tx.StmtContext(ctx, reads[1]).QueryContext(ctx, args...) //nolint:sqlclosecheck // as above
	if err != nil {
		return page, err
	}
	defer rows.Close()
	for page.Next == "" && rows.Next() {
		if len(page.Items) == limit {
			last := page.Items[limit-1]
			page.Next = driver.EncodeCursor(driver.Position{CreatedAt: last.CreatedAt, ID: last.ID})
			continue
		}
		item, err := scanItem[T](rows)
		if err != nil {
			return page, err
		}
		page.Items = append(page.Items, item)
	}
	return page, rows.Err()
}

func scanItem[T any](rows *sql.Rows) (cqrsfeed.Item[T], error) {
	var item cqrsfeed.Item[T]
	var createdAt, updatedAt int64
	var body string
	if err := rows.Scan(&createdAt, &item.ID, &item.Version, &updatedAt, &body); err != nil {
		return cqrsfeed.Item[T]{}, err
	}
	if err := json.Unmarshal([]byte(body), &item.Body); err != nil {
		return cqrsfeed.Item[T]{}, fmt.Errorf("decode body of item %q version %d: %w", item.ID, item.Version, err)
	}
	item.CreatedAt = time.UnixMicro(createdAt).UTC()
	item.UpdatedAt = time.UnixMicro(updatedAt).UTC()
	return item, nil
}
