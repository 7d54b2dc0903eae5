package sqlitestore

import (
	"context"
	"database/sql"
	"errors"
	"time"

	"github.com/feedmill/feedmill/cqrsfeed"
	"github.com/feedmill/feedmill/cqrsfeed/driver"
)

// ReadPage implements feedstore.Access. It reads items, count and revision in one transaction.
func (t *feedTables[T]) ReadPage(
	ctx context.Context, feed string, after *driver.Position, limit int,
) (cqrsfeed.FeedPage[T], error) {
	query, args := t.selectPage, []any{feed, limit + 1}
	if after != nil {
		query, args = t.selectNext, []any{feed, after.CreatedAt.UnixMicro(), after.ID, limit + 1}
	}
	page := driver.NewPage[T](cqrsfeed.Feed{Name: feed}, limit)
	selectFeed, feedErr := t.reads.prepare(ctx, t.selectFeed)
	selectPage, pageErr := t.reads.prepare(ctx, query)
	if err := errors.Join(feedErr, pageErr); err != nil {
		return page.FeedPage, err
	}
	tx, err := t.database.DB.DB.BeginTx(ctx, &sql.TxOptions{ReadOnly: true})
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
