package outbox

import (
	"context"
	"database/sql"
	"fmt"
	"slices"

	"github.com/feedmill/feedmill/adapters/internal/sqlstore/sqldb"
	"github.com/feedmill/feedmill/cqrsfeed/limits"
	"github.com/feedmill/feedmill/cqrsfeed/outbox"
)

// takeStatements read the queue. %s stands for a list of ids. A statement on a range must begin to read where the range
// begins, because the rows before it may be many deleted ones. MySQL would read the whole of an index that covers the
// query. Hence MIN, and columns that the index does not have.
type takeStatements struct{ oldest, first, nextTopic, ofTopic, ids string }

func newTakeStatements(queue string, dialect *sqldb.Dialect) takeStatements {
	byID, byTopic := queue+dialect.ByID, queue+dialect.ByTopic
	return takeStatements{
		oldest:    "SELECT " + messageColumns + " FROM " + byID + " WHERE id > ? ORDER BY id LIMIT ?" + dialect.SkipLocked,
		first:     "SELECT MIN(id) FROM " + byID + " WHERE id > ?",
		nextTopic: "SELECT MIN(topic) FROM " + queue + " WHERE topic > ?",
		ofTopic:   "SELECT id, created_at FROM " + byTopic + " WHERE topic = ? AND id > ? ORDER BY id LIMIT ?",
		ids:       "SELECT " + messageColumns + " FROM " + byID + " WHERE id IN (%s) ORDER BY id" + dialect.SkipLocked,
	}
}

// batch has the messages that one Drain took.
type batch struct {
	ids         []int64
	messages    []outbox.Message
	broken      []refusal // rows that cannot be decoded
	first, last int64     // ids, 0 if it is empty
	from        floor     // where the search began
}

// floor is where a search begins: after id, or after topics[t] for topic t if that is greater.
type floor struct {
	id     int64
	topics map[string]int64
}

func (f floor) of(topic string) int64 { return max(f.id, f.topics[topic]) }

func (b batch) taken() int { return len(b.ids) + len(b.broken) }

func (b batch) topics() []string {
	topics := make([]string, len(b.messages))
	for i, m := range b.messages {
		topics[i] = m.Topic
	}
	slices.Sort(topics)
	return slices.Compact(topics)
}

// takeBatch reads the oldest messages of all topics except those in except.
//
// With except it searches for their ids by the index on topics, without locks, and then locks the rows by id, as a
// Drain without except does. Locks on the index would make relays wait for each other's deletions. If other relays hold
// all of the rows, it continues with later ids.
//
// It also returns the topics that inOrder returns. It begins again while inOrder says that the search is stale.
func (o *Outbox) takeBatch(ctx context.Context, from sqldb.Querier, limit int, except []string) (b batch, behind []string, err error) {
	for stale := true; stale && err == nil; {
		b, behind, stale, err = o.tryBatch(ctx, from, limit, except)
	}
	return b, behind, err
}

func (o *Outbox) tryBatch(
	ctx context.Context, from sqldb.Querier, limit int, except []string,
) (b batch, behind []string, stale bool, err error) {
	search := o.marks.search()
	b, err = o.takeOldest(ctx, from, search, limit, except)
	sweep := search.end() // also after an error, or a sweep that takes too long would be the only search for ever
	if err != nil {
		return batch{}, nil, false, err
	}
	if sweep > 0 && b.taken() < limit {
		o.wakeAfter(sweep)
	}
	return o.inOrder(ctx, from, search, b)
}

func (o *Outbox) takeOldest(ctx context.Context, from sqldb.Querier, search search, limit int, except []string) (batch, error) {
	if len(except) == 0 {
		after := floor{id: search.from()}
		b, err := readBatch(ctx, from, o.take.oldest, after.id, limit)
		b.from = after
		first := b.first
		if err == nil && search.raises() {
			first, err = o.firstAfter(ctx, from, after.id)
		}
		if err == nil {
			search.saw(first, b.last)
			search.sawTopics(b.topics())
		}
		return b, err
	}
	topics, behind := search.topics()
	if search.sweep {
		var err error
		if topics, err = o.listTopics(ctx, from); err != nil {
			return batch{}, err
		}
		search.sawTopics(topics)
	}
	topics = slices.DeleteFunc(topics, func(topic string) bool { return slices.Contains(except, topic) })
	began := floor{search.from(), behind}
	for after := began; ; search = (*marks)(nil).search() { // only the first search is at the marks
		ids, err := o.oldestOf(ctx, from, search, topics, after, limit)
		if err != nil || len(ids) == 0 {
			return batch{}, err
		}
		b, err := readBatch(ctx, from, fmt.Sprintf(o.take.ids, joinIDs(ids)), o.database.Dialect.Unprepared...)
		b.from = began
		if err != nil || b.taken() > 0 {
			return b, err
		}
		after.id = ids[len(ids)-1]
	}
}

// firstAfter returns the id of the first message after an id, or 0. Unlike a batch it has also what other relays hold: no
// mark may be above it, because newer messages of an ordered topic wait for it.
func (o *Outbox) firstAfter(ctx context.Context, from sqldb.Querier, id int64) (int64, error) {
	var first sql.NullInt64
	if err := from.QueryRowContext(ctx, o.take.first, id).Scan(&first); err != nil {
		return 0, fmt.Errorf("look for the first message: %w", err)
	}
	return first.Int64, nil
}

// listTopics returns the topics that have messages. It reads one row for each.
func (o *Outbox) listTopics(ctx context.Context, from sqldb.Querier) ([]string, error) {
	var topics []string
	for after := ""; ; {
		var next sql.NullString
		if err := from.QueryRowContext(ctx, o.take.nextTopic, after).Scan(&next); err != nil {
			return nil, fmt.Errorf("list topics: %w", err)
		}
		if !next.Valid {
			return topics, nil
		}
		after = next.String
		topics = append(topics, after)
	}
}

// oldestOf returns the ids of up to limit messages of the topics, after an id and after each topic's own, in ascending
// order.
func (o *Outbox) oldestOf(
	ctx context.Context, from sqldb.Querier, search search, topics []string, after floor, limit int,
) ([]int64, error) {
	var oldest []int64
	for _, topic := range topics {
		rows, err := queryIDs(ctx, from, o.take.ofTopic, topic, after.of(topic), limit)
		if err != nil {
			return nil, fmt.Errorf("look for messages of topic %q: %w", topic, err)
		}
		ids := idsOf(rows)
		search.sawTopic(topic, ids)
		oldest = append(oldest, ids...)
	}
	slices.Sort(oldest)
	return oldest[:min(limit, len(oldest))], nil
}

// readBatch reads and decodes the rows of a query for messageColumns, up to MaxBatchBytes.
func readBatch(ctx context.Context, from sqldb.Querier, query string, args ...any) (batch, error) {
	var b batch
	rows, err := from.QueryContext(ctx, query, args...)
	if err != nil {
		return batch{}, fmt.Errorf("take messages: %w", err)
	}
	defer rows.Close()
	for bytes := 0; bytes < limits.MaxBatchBytes && rows.Next(); {
		var id int64
		var r row
		if err := rows.Scan(r.fields(&id)...); err != nil {
			return batch{}, fmt.Errorf("take messages: %w", err)
		}
		bytes += len(r.payload)
		if b.first == 0 {
			b.first = id
		}
		b.last = id
		msg, err := r.decode(ctx)
		if err != nil {
			b.broken = append(b.broken, refusal{id: id, topic: r.topic, reason: err})
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

// idPair is a row of a query for ids and another integer.
type idPair struct{ id, other int64 }

func idsOf(rows []idPair) []int64 {
	ids := make([]int64, len(rows))
	for i, row := range rows {
		ids[i] = row.id
	}
	return ids
}

// queryIDs returns the rows of a query for ids and another integer.
func queryIDs(ctx context.Context, from sqldb.Querier, query string, args ...any) ([]idPair, error) {
	return sqldb.Query(ctx, from, query, args, func(row sqldb.Scanner) (pair idPair, err error) {
		err = row.Scan(&pair.id, &pair.other)
		return pair, err
	})
}
