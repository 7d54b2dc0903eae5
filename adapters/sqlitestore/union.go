package sqlitestore

import (
	"context"

	"github.com/feedmill/feedmill/cqrsfeed/driver"
)

// ReadUnion implements feedstore.Access. SQLite makes each row when it is asked for, so it reads no more than the page has, and
// one entry for each feed. An item has a row for each of its feeds, one behind the other.
func (t *feedTables[T]) ReadUnion(
	ctx context.Context, page *driver.Page[T], feeds []string, after *driver.Position, _ int,
) error {
	query, args := t.selectUnion, []any{t.List(feeds)}
	if after != nil {
		query, args = t.selectUnionNext, append(args, after.CreatedAt.UnixMicro(), after.ID)
	}
	stmt, err := t.reads.prepare(ctx, query) //nolint:sqlclosecheck // closed with the database
	if err != nil {
		return err
	}
	rows, err := stmt.QueryContext(ctx, args...)
	if err != nil {
		return err
	}
	defer rows.Close()
	last := ""
	for rows.Next() {
		item, err := scanItem[T](rows)
		if err != nil {
			return err
		}
		if item.ID == last {
			continue
		}
		if last = item.ID; !page.Add(item) {
			return nil
		}
	}
	return rows.Err()
}
