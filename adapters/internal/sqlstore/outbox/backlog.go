package outbox

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/feedmill/feedmill/adapters/internal/sqlstore/sqldb"
	"github.com/feedmill/feedmill/cqrsfeed/outbox"
)

// backlogStatements count rows without scanning a whole table.
type backlogStatements struct{ waiting, parked string }

func newBacklogStatements(queue, parked string, dialect *sqldb.Dialect) backlogStatements {
	return backlogStatements{
		waiting: fmt.Sprintf("SELECT topic, COUNT(*), MIN(created_at), MIN(id), MAX(id) FROM "+
			"(SELECT id, topic, created_at FROM %s WHERE id > ? ORDER BY id LIMIT %d) AS o GROUP BY topic ORDER BY topic",
			queue+dialect.ByID, outbox.MaxCounted),
		parked: fmt.Sprintf("SELECT COUNT(*) FROM (SELECT id FROM %s ORDER BY id LIMIT %d) AS p", parked, outbox.MaxCounted),
	}
}

// Backlog implements outbox.Operations.
func (o *Outbox) Backlog(ctx context.Context) (outbox.Backlog, error) {
	var backlog outbox.Backlog
	err := o.database.Retry(ctx, func() (err error) {
		backlog, err = o.countBacklog(ctx)
		return err
	})
	return backlog, o.wrap("count", err)
}

// countBacklog uses several statements without a common snapshot, because the result is soon out of date in any case.
func (o *Outbox) countBacklog(ctx context.Context) (backlog outbox.Backlog, err error) {
	db := o.database.DB
	o.counted.learn(o.marks)
	search := o.counted.search()
	var first, counted int64
	args := append(slices.Clone(o.database.Dialect.Unprepared), search.from())
	backlog.Topics, err = sqldb.Query(ctx, db, o.backlog.waiting, args, func(row sqldb.Scanner) (outbox.TopicBacklog, error) {
		var t outbox.TopicBacklog
		var added, least, most int64
		err := row.Scan(&t.Topic, &t.Waiting, &added, &least, &most)
		t.Oldest = time.UnixMicro(added).UTC()
		backlog.Waiting += t.Waiting
		first, counted = min(cmp.Or(first, least), least), max(counted, most)
		if backlog.Oldest.IsZero() || t.Oldest.Before(backlog.Oldest) {
			backlog.Oldest = t.Oldest
		}
		return t, err
	})
	if err != nil {
		return backlog, fmt.Errorf("waiting messages: %w", err)
	}
	search.saw(first, counted)
	search.end()
	if err := db.QueryRowContext(ctx, o.backlog.parked).Scan(&backlog.Parked); err != nil {
		return backlog, fmt.Errorf("parked messages: %w", err)
	}
	return backlog, nil
}
