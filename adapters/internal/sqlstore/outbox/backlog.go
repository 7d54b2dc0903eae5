package outbox

import (
	"context"
	"fmt"
	"time"

	"github.com/feedmill/feedmill/adapters/internal/sqlstore/sqldb"
	"github.com/feedmill/feedmill/cqrsfeed/outbox"
)

// backlogStatements count rows without scanning a whole table.
type backlogStatements struct{ waiting, topics, beyond, parked string }

func newBacklogStatements(queue, parked string, dialect *sqldb.Dialect) backlogStatements {
	byID := queue + dialect.ByID
	return backlogStatements{
		waiting: fmt.Sprintf("SELECT COUNT(*), COALESCE(MIN(id), 0), COALESCE(MAX(id), 0), COALESCE(MIN(created_at), 0) FROM "+
			"(SELECT id, created_at FROM %s WHERE id > ? ORDER BY id LIMIT %d) AS o", byID, outbox.MaxCounted),
		topics: fmt.Sprintf("SELECT topic, COUNT(*), MIN(created_at) FROM (SELECT topic, created_at FROM %s WHERE id > ? ORDER BY id LIMIT %d) AS o "+
			"GROUP BY topic ORDER BY topic", byID, outbox.MaxCounted),
		beyond: "SELECT COALESCE(MAX(id), 0) FROM " + queue,
		parked: fmt.Sprintf("SELECT COUNT(*) FROM (SELECT id FROM %s ORDER BY id LIMIT %d) AS p", parked, outbox.MaxCounted),
	}
}

// Backlog implements outbox.Operations. Beyond outbox.MaxCounted messages it returns the number of ids,
// an upper bound.
func (o *Outbox) Backlog(ctx context.Context) (outbox.Backlog, error) {
	var backlog outbox.Backlog
	err := o.database.Retry(ctx, func() (err error) {
		backlog, err = o.countBacklog(ctx)
		return err
	})
	return backlog, o.wrap("count", err)
}

// countBacklog uses several statements without a common snapshot, because the result is soon out of date in any case.
func (o *Outbox) countBacklog(ctx context.Context) (outbox.Backlog, error) {
	var backlog outbox.Backlog
	db := o.database.DB
	var first, counted, last, oldest int64
	o.counted.learn(o.marks)
	search := o.counted.search()
	if err := db.QueryRowContext(ctx, o.backlog.waiting, search.from()).Scan(&backlog.Waiting, &first, &counted, &oldest); err != nil {
		return backlog, fmt.Errorf("waiting messages: %w", err)
	}
	search.saw(first, counted)
	search.end()
	if backlog.Waiting == outbox.MaxCounted { // the estimate includes ids that were never assigned
		if err := db.QueryRowContext(ctx, o.backlog.beyond).Scan(&last); err != nil {
			return backlog, fmt.Errorf("waiting messages: %w", err)
		}
		backlog.Waiting += max(0, last-counted)
		backlog.Estimated = backlog.Waiting > outbox.MaxCounted
	}
	if backlog.Waiting > 0 {
		backlog.Oldest = time.UnixMicro(oldest).UTC()
	}
	if err := db.QueryRowContext(ctx, o.backlog.parked).Scan(&backlog.Parked); err != nil {
		return backlog, fmt.Errorf("parked messages: %w", err)
	}
	return backlog, nil
}

// WaitingByTopic implements outbox.Operations. It counts the oldest outbox.MaxCounted messages.
func (o *Outbox) WaitingByTopic(ctx context.Context) (topics []outbox.TopicBacklog, err error) {
	err = o.database.Retry(ctx, func() (err error) {
		from := o.counted.search().from()
		topics, err = sqldb.Query(ctx, o.database.DB, o.backlog.topics, []any{from}, func(row sqldb.Scanner) (outbox.TopicBacklog, error) {
			var t outbox.TopicBacklog
			var oldest int64
			err := row.Scan(&t.Topic, &t.Waiting, &oldest)
			t.Oldest = time.UnixMicro(oldest).UTC()
			return t, err
		})
		return err
	})
	return topics, o.wrap("count by topic", err)
}
