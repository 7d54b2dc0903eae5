package sqlstore

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"github.com/feedmill/feedmill/cqrsfeed/outbox"
)

// maxCounted is how many rows are counted; beyond that their number is estimated.
const maxCounted = 10_000

// backlogStatements count rows without scanning a whole table.
type backlogStatements struct{ waiting, beyond, oldest, parked string }

func newBacklogStatements(queue, parked string) backlogStatements {
	return backlogStatements{
		waiting: fmt.Sprintf("SELECT COUNT(*), COALESCE(MAX(id), 0) FROM (SELECT id FROM %s ORDER BY id LIMIT %d) AS o", queue, maxCounted),
		beyond:  "SELECT COALESCE(MAX(id), 0) FROM " + queue,
		oldest:  "SELECT created_at FROM " + queue + " ORDER BY id LIMIT 1",
		parked:  fmt.Sprintf("SELECT COUNT(*) FROM (SELECT id FROM %s ORDER BY id LIMIT %d) AS p", parked, maxCounted),
	}
}

// Backlog implements outbox.Operations. It counts up to ten thousand waiting messages; beyond that it estimates their
// number by their ids, from above. It counts up to ten thousand parked messages.
func (o *Outbox) Backlog(ctx context.Context) (outbox.Backlog, error) {
	var backlog outbox.Backlog
	err := o.database.Retry(ctx, func() (err error) {
		backlog, err = o.countBacklog(ctx)
		return err
	})
	return backlog, o.wrap("count", err)
}

// countBacklog uses several statements without a common snapshot: the result is out of date in any case.
func (o *Outbox) countBacklog(ctx context.Context) (outbox.Backlog, error) {
	var backlog outbox.Backlog
	db := o.database.db
	var counted, last, oldest int64
	if err := db.QueryRowContext(ctx, o.backlog.waiting).Scan(&backlog.Waiting, &counted); err != nil {
		return backlog, fmt.Errorf("waiting messages: %w", err)
	}
	if backlog.Waiting == maxCounted { // the estimate includes ids that were never assigned
		if err := db.QueryRowContext(ctx, o.backlog.beyond).Scan(&last); err != nil {
			return backlog, fmt.Errorf("waiting messages: %w", err)
		}
		backlog.Waiting += max(0, last-counted)
	}
	switch err := db.QueryRowContext(ctx, o.backlog.oldest).Scan(&oldest); {
	case err == nil:
		backlog.Oldest = time.UnixMicro(oldest).UTC()
	case !errors.Is(err, sql.ErrNoRows):
		return backlog, fmt.Errorf("oldest message: %w", err)
	}
	if err := db.QueryRowContext(ctx, o.backlog.parked).Scan(&backlog.Parked); err != nil {
		return backlog, fmt.Errorf("parked messages: %w", err)
	}
	return backlog, nil
}
