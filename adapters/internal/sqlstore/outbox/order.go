package outbox

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/feedmill/feedmill/adapters/internal/sqlstore/sqldb"
	"github.com/feedmill/feedmill/cqrsfeed/outbox"
)

// KeepOrder implements outbox.Orderer. A repository whose topics have partitions calls it.
func (o *Outbox) KeepOrder(topics ...string) {
	o.ordered.add(topics)
	if len(topics) > 0 {
		o.marks.keepOrder()
	}
}

// topicSet is safe for concurrent use.
type topicSet struct{ topics sync.Map }

func (s *topicSet) add(topics []string) {
	for _, topic := range topics {
		s.topics.Store(topic, true)
	}
}

func (s *topicSet) has(topic string) bool {
	_, ok := s.topics.Load(topic)
	return ok
}

// orderStatements select the older messages that hold back an ordered topic: in the queue, and parked. A row is the topic,
// the id of a message in the queue, and the first place of the parked ones.
type orderStatements struct{ queued, parked string }

func newOrderStatements(queue, parked string, dialect *sqldb.Dialect) orderStatements {
	return orderStatements{
		queued: "SELECT topic, id, 0 FROM " + queue + dialect.ByTopic + " WHERE topic = ? AND id > ? AND id <= ?",
		parked: "SELECT topic, 0, MIN(" + placeColumn + ") FROM " + parked + " WHERE topic IN (%s) GROUP BY topic",
	}
}

// behindDelay is the wait before the next search for messages that another relay holds.
const behindDelay = 20 * time.Millisecond

// inOrder removes from a batch the messages of ordered topics that must wait: those after an older message of the topic
// that is parked, or that another relay holds. It returns the topics of which no message is left. The batch must then
// not be published, because it holds locks on their rows, which the other relay needs.
func (o *Outbox) inOrder(ctx context.Context, from sqldb.Querier, b batch) (_ batch, behind []string, err error) {
	last := map[string]int64{} // of the topics whose order is kept
	for i, m := range b.messages {
		if o.ordered.has(m.Topic) {
			b.messages[i].InOrder = true
			last[m.Topic] = b.ids[i]
		}
	}
	if len(last) == 0 {
		return b, nil, nil
	}
	ends, elsewhere, err := o.endsOf(ctx, from, b, last)
	if err != nil {
		return batch{}, nil, err
	}
	if elsewhere {
		o.wakeAfter(behindDelay)
	}
	kept := b
	kept.ids, kept.messages = nil, nil
	for i, m := range b.messages {
		if end, ok := ends[m.Topic]; !ok || b.ids[i] < end {
			kept.ids, kept.messages = append(kept.ids, b.ids[i]), append(kept.messages, m)
			delete(last, m.Topic)
		}
	}
	for _, r := range b.broken {
		delete(last, r.topic)
	}
	return kept, slices.Sorted(maps.Keys(last)), nil
}

// endsOf returns for each topic the id from which on messages must wait, and whether another relay holds one of the
// older messages.
//
// The statement reads both tables from one snapshot, so that it does not miss a message that moves between them. A
// message in neither table was published.
//
// It lowers the marks below the places of parked messages. Another process may return them, and they must then be found
// before those that wait for them.
func (o *Outbox) endsOf(
	ctx context.Context, from sqldb.Querier, b batch, last map[string]int64,
) (ends map[string]int64, elsewhere bool, err error) {
	var selects []string
	var args, topics []any
	for topic, id := range last {
		selects = append(selects, o.order.queued)
		args = append(args, topic, b.from.of(topic), id)
		topics = append(topics, topic)
	}
	selects = append(selects, fmt.Sprintf(o.order.parked, sqldb.Commas("?", len(topics))))
	rows, err := from.QueryContext(ctx, strings.Join(selects, " UNION ALL "), append(args, topics...)...)
	if err != nil {
		return nil, false, fmt.Errorf("look for older messages of %d topics: %w", len(last), err)
	}
	defer rows.Close()
	has := map[int64]bool{}
	for _, id := range b.ids {
		has[id] = true
	}
	ends = map[string]int64{}
	end := func(topic string, id int64) {
		if e, ok := ends[topic]; !ok || id < e {
			ends[topic] = id
		}
	}
	for _, r := range b.broken { // they will be parked
		has[r.id] = true
		if o.ordered.has(r.topic) {
			end(r.topic, r.id)
		}
	}
	for rows.Next() {
		var topic string
		var id, place int64
		if err := rows.Scan(&topic, &id, &place); err != nil {
			return nil, false, fmt.Errorf("look for older messages: %w", err)
		}
		o.marks.lowerTopic(topic, place)
		if !has[id] {
			end(topic, id)
			elsewhere = elsewhere || id > 0
		}
	}
	return ends, elsewhere, rows.Err()
}

var _ outbox.Orderer = (*Outbox)(nil)
