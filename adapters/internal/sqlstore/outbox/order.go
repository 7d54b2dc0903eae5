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

// orderStatements select what holds back an ordered topic. A row is the topic and the id of an older message in the queue,
// or the topic and 0 if it has a parked message. The row of the generation of the marks has an empty topic.
type orderStatements struct{ queued, parked, generation string }

func newOrderStatements(queue, parked, returns string, dialect *sqldb.Dialect) orderStatements {
	return orderStatements{
		queued:     "SELECT topic, id FROM " + queue + dialect.ByTopic + " WHERE topic = ? AND id > ? AND id <= ?",
		parked:     "SELECT DISTINCT topic, 0 FROM " + parked + " WHERE topic IN (%s)",
		generation: "SELECT '', " + generationColumn + " FROM " + returns + " WHERE id = 1", // by the index: see Dialect.BeginDrain
	}
}

// behindDelay is the wait before the next search for messages that another relay holds.
const behindDelay = 20 * time.Millisecond

// inOrder removes from a batch the messages of ordered topics that must wait: those after an older message of the topic
// that is parked, or that another relay holds. It returns the topics of which no message is left. The batch must then
// not be published, because it holds locks on their rows, which the other relay needs.
//
// It returns stale if older messages may have returned to the queue that the search has passed over.
func (o *Outbox) inOrder(
	ctx context.Context, from sqldb.Querier, search search, b batch,
) (_ batch, behind []string, stale bool, err error) {
	last := map[string]int64{} // of the topics whose order is kept
	for i, m := range b.messages {
		if o.ordered.has(m.Topic) {
			b.messages[i].InOrder = true
			last[m.Topic] = b.ids[i]
		}
	}
	if len(last) == 0 {
		return b, nil, false, nil
	}
	held, err := o.held(ctx, from, b, last)
	if err != nil || search.stale(held.generation) {
		return batch{}, nil, err == nil, err
	}
	if held.elsewhere {
		o.wakeAfter(behindDelay)
	}
	kept := b
	kept.ids, kept.messages = nil, nil
	for i, m := range b.messages {
		if end, ok := held.from[m.Topic]; !ok || b.ids[i] < end {
			kept.ids, kept.messages = append(kept.ids, b.ids[i]), append(kept.messages, m)
			delete(last, m.Topic)
		}
	}
	for _, r := range b.broken {
		delete(last, r.topic)
	}
	return kept, slices.Sorted(maps.Keys(last)), false, nil
}

// held is what holds messages of a batch back.
type held struct {
	from       map[string]int64 // the id from which on messages of a topic must wait
	elsewhere  bool             // another relay holds one of the older messages
	generation int64            // of the marks
}

func (h held) add(topic string, id int64) {
	if from, ok := h.from[topic]; !ok || id < from {
		h.from[topic] = id
	}
}

// held reads what holds the batch back. last has the last message of each ordered topic.
//
// The statement reads all tables from one snapshot, so that it does not miss a message that moves between them, and knows
// the generation of a message that has returned. A message in neither table was published.
func (o *Outbox) held(ctx context.Context, from sqldb.Querier, b batch, last map[string]int64) (held, error) {
	var selects []string
	var args, topics []any
	for topic, id := range last {
		selects = append(selects, o.order.queued)
		args = append(args, topic, b.from.of(topic), id)
		topics = append(topics, topic)
	}
	selects = append(selects, fmt.Sprintf(o.order.parked, sqldb.Commas("?", len(topics))))
	if o.marks != nil {
		selects = append(selects, o.order.generation)
	}
	rows, err := from.QueryContext(ctx, strings.Join(selects, " UNION ALL "), append(args, topics...)...)
	if err != nil {
		return held{}, fmt.Errorf("look for older messages of %d topics (does EnsureSchema run at start?): %w", len(last), err)
	}
	defer rows.Close()
	has := map[int64]bool{}
	for _, id := range b.ids {
		has[id] = true
	}
	h := held{from: map[string]int64{}}
	for _, r := range b.broken { // they will be parked
		has[r.id] = true
		if o.ordered.has(r.topic) {
			h.add(r.topic, r.id)
		}
	}
	for rows.Next() {
		var topic string
		var id int64
		if err := rows.Scan(&topic, &id); err != nil {
			return held{}, fmt.Errorf("look for older messages: %w", err)
		}
		switch {
		case topic == "":
			h.generation = id
		case !has[id]:
			h.add(topic, id)
			h.elsewhere = h.elsewhere || id > 0
		}
	}
	return h, rows.Err()
}

var _ outbox.Orderer = (*Outbox)(nil)
