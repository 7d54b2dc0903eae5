package postgresstore

import (
	"context"
	"database/sql"
	"time"

	"github.com/feedmill/feedmill/adapters/internal/sqlstore/sqldb"
	"github.com/feedmill/feedmill/cqrsfeed"
	"github.com/feedmill/feedmill/cqrsfeed/driver"
	"github.com/feedmill/feedmill/cqrsfeed/limits"
)

// ReadUnion implements feedstore.Access. A statement reads as many entries as the page may have, in number or in bytes. Some of
// them may be stray and not shown; then it reads on behind them.
func (t *feedTables[T]) ReadUnion(
	ctx context.Context, page *driver.Page[T], feeds []string, after *driver.Position, limit int,
) error {
	for {
		query, args := t.selectUnion, []any{t.List(feeds), limit + 1, limits.MaxPageBytes}
		if after != nil {
			query, args = t.selectUnionNext, append(args, after.CreatedAt.UnixMicro(), after.ID)
		}
		entries, err := sqldb.Query(ctx, t.database.DB, query, args, scanUnited[T])
		if err != nil {
			return err
		}
		bytes := 0
		for _, e := range entries {
			if e.shown && !page.Add(e.item) {
				return nil
			}
			bytes += len(e.item.Encoded)
			after = &driver.Position{CreatedAt: e.item.CreatedAt, ID: e.item.ID}
		}
		if len(entries) <= limit && bytes <= limits.MaxPageBytes {
			return nil
		}
	}
}

// united is an entry of a union.
type united[T any] struct {
	item  cqrsfeed.Item[T] // its body is not decoded
	shown bool
}

func scanUnited[T any](row sqldb.Scanner) (e united[T], err error) {
	var createdAt int64
	var version, updatedAt sql.NullInt64
	err = row.Scan(&createdAt, &e.item.ID, &version, &updatedAt, (*[]byte)(&e.item.Encoded))
	e.shown = version.Valid
	e.item.Version = version.Int64
	e.item.CreatedAt, e.item.UpdatedAt = time.UnixMicro(createdAt).UTC(), time.UnixMicro(updatedAt.Int64).UTC()
	return e, err
}
