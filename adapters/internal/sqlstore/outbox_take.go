package sqlstore

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"

	"github.com/feedmill/feedmill/cqrsfeed/outbox"
)

// takeStatements read the queue; %s stands for a list of ids.
type takeStatements struct{ oldest, nextTopic, ofTopic, ids string }

func newTakeStatements(queue string, dialect Dialect) takeStatements {
	return takeStatements{
		oldest:    "SELECT " + messageColumns + " FROM " + queue + " ORDER BY id LIMIT ?" + dialect.SkipLocked,
		nextTopic: "SELECT topic FROM " + queue + " WHERE topic > ? ORDER BY topic LIMIT 1",
		ofTopic:   "SELECT id FROM " + queue + " WHERE topic = ? AND id > ? ORDER BY id LIMIT ?",
		ids:       "SELECT " + messageColumns + " FROM " + queue + " WHERE id IN (%s) ORDER BY id" + dialect.SkipLocked,
	}
}

// batch is what one Drain took.
type batch struct {
	ids      []int64
	messages []outbox.Message
	broken   []refusal // rows that cannot be decoded
}

func (b batch) taken() int { return len(b.ids) + len(b.broken) }

type queryer interface {
	QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error)
	QueryRowContext(ctx context.Context, query string, args ...any) *sql.Row
}

// takeBatch reads the oldest messages of all topics but those in except.
//
// With except it looks for their ids by the index on topics, without locks, and then locks the rows by id, as a Drain
// without except does. Locks on the index would make relays wait for each other's deletions. If other relays have all
// of the rows it goes on with the ids behind them.
func (o *Outbox) takeBatch(ctx context.Context, from queryer, limit int, except []string) (batch, error) {
	if len(except) == 0 {
		return readBatch(ctx, from, o.take.oldest, limit)
	}
	topics, err := o.topics(ctx, from, except)
	if err != nil {
		return batch{}, err
	}
	for after := int64(0); ; {
		ids, err := o.oldestOf(ctx, from, topics, after, limit)
		if err != nil || len(ids) == 0 {
			return batch{}, err
		}
		b, err := readBatch(ctx, from, fmt.Sprintf(o.take.ids, joinIDs(ids)))
		if err != nil || b.taken() > 0 {
			return b, err
		}
		after = ids[len(ids)-1]
	}
}

// topics returns those that have messages, but for those in except. It reads one row for each.
func (o *Outbox) topics(ctx context.Context, from queryer, except []string) ([]string, error) {
	var topics []string
	for topic := ""; ; {
		err := from.QueryRowContext(ctx, o.take.nextTopic, topic).Scan(&topic)
		switch {
		case errors.Is(err, sql.ErrNoRows):
			return topics, nil
		case err != nil:
			return nil, fmt.Errorf("list topics: %w", err)
		case !slices.Contains(except, topic):
			topics = append(topics, topic)
		}
	}
}

// oldestOf returns the ids of up to limit messages of the topics, after an id, in ascending order.
func (o *Outbox) oldestOf(ctx context.Context, from queryer, topics []string, after int64, limit int) ([]int64, error) {
	var oldest []int64
	for _, topic := range topics {
		ids, err := queryIDs(ctx, from, o.take.ofTopic, topic, after, limit)
		if err != nil {
			return nil, fmt.Errorf("look for messages of topic %q: %w", topic, err)
		}
		oldest = append(oldest, ids...)
	}
	slices.Sort(oldest)
	return oldest[:min(limit, len(oldest))], nil
}

// readBatch reads and decodes the rows of a query for messageColumns.
func readBatch(ctx context.Context, from queryer, query string, args ...any) (batch, error) {
	var b batch
	rows, err := from.QueryContext(ctx, query, args...)
	if err != nil {
		return batch{}, fmt.Errorf("take messages: %w", err)
	}
	defer rows.Close()
	for rows.Next() {
		var id int64
		var r row
		if err := rows.Scan(r.fields(&id)...); err != nil {
			return batch{}, fmt.Errorf("take messages: %w", err)
		}
		msg, err := r.decode(ctx)
		if err != nil {
			b.broken = append(b.broken, refusal{id: id, reason: err})
			continue
		}
		b.ids = append(b.ids, id)
		b.messages = append(b.messages, msg)
	}
	if err := rows.Err(); err != nil {
		return batch{}, fmt.Errorf("take messages: %w", err)
	}
	return b, nil
}

// queryIDs returns the ids that a query finds.
func queryIDs(ctx context.Context, from queryer, query string, args ...any) ([]int64, error) {
	rows, err := from.QueryContext(ctx, query, args...)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var ids []int64
	for rows.Next() {
		var id int64
		if err := rows.Scan(&id); err != nil {
			return nil, err
		}
		ids = append(ids, id)
	}
	return ids, rows.Err()
}
