package postgresstore

import (
	"context"
	"database/sql"
	"time"

	"github.com/feedmill/feedmill/cqrsfeed"
	"github.com/feedmill/feedmill/cqrsfeed/driver"
	"github.com/feedmill/feedmill/cqrsfeed/limits"
)

// ReadPage implements feedstore.Access. One statement reads items, count and revision.
func (t *feedTables[T]) ReadPage(
	ctx context.Context, feed string, after *driver.Position, limit int,
) (cqrsfeed.FeedPage[T], error) {
	query, args := t.selectPage, []any{feed, limit + 1, limits.MaxPageBytes}
	if after != nil {
		query, args = t.selectNext, append(args, after.CreatedAt.UnixMicro(), after.ID)
	}
	page := driver.NewPage[T](cqrsfeed.Feed{Name: feed}, limit)
	rows, err := t.database.DB.QueryContext(ctx, query, args...)
	if err != nil {
		return page.FeedPage, err
	}
	defer rows.Close()
	for rows.Next() {
		var id sql.NullString
		var createdAt, version, updatedAt sql.NullInt64
		var body []byte
		if err := rows.Scan(&page.Feed.Revision, &page.Feed.Count, &createdAt, &id, &version, &updatedAt, &body); err != nil {
			return page.FeedPage, err
		}
		if !id.Valid { // an empty page has the feed alone
			break
		}
		more := page.Add(cqrsfeed.Item[T]{
			ID: id.String, Version: version.Int64, Encoded: body,
			CreatedAt: time.UnixMicro(createdAt.Int64).UTC(), UpdatedAt: time.UnixMicro(updatedAt.Int64).UTC(),
		})
		if !more {
			break
		}
	}
	return page.FeedPage, rows.Err()
}
