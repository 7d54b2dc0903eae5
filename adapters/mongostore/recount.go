package mongostore

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"github.com/feedmill/feedmill/cqrsfeed"
	"github.com/feedmill/feedmill/cqrsfeed/driver"
)

const (
	// recountGroup is the number of pending feeds that are counted before their counts are stored.
	recountGroup = feedsPerCount * countsAtOnce
	// recountMost is the maximum number of feeds of one call.
	recountMost = 10_000
)

// Recount implements cqrsfeed.FeedStore. It counts the feeds whose count is pending, small ones first. Of several
// stores, the one that was the last to defer the count of a feed counts it. Other stores count the feed if it stays
// unchanged for driver.RecountCalls of their calls. With an error, Recount also returns the feeds that it may have
// counted.
func (s *FeedStore[T]) Recount(ctx context.Context) ([]cqrsfeed.FeedUpdated, error) {
	isPending := bson.D{{Key: fieldPending, Value: bson.D{{Key: "$gt", Value: ""}}}}
	pending, err := findAll[feedDocument](ctx, s.feeds, isPending, options.Find().SetLimit(recountMost))
	if err != nil {
		return nil, fmt.Errorf("find pending counts: %w", err)
	}
	pending = s.others.choose(pending, s.counter)
	slices.SortFunc(pending, func(a, b feedDocument) int {
		return cmp.Or(cmp.Compare(a.Count, b.Count), strings.Compare(a.Name, b.Name))
	})
	revisions := make(map[string]int64)
	for group := range slices.Chunk(pending, recountGroup) {
		if err := s.recount(ctx, group, revisions); err != nil {
			return announcements(revisions), fmt.Errorf("recount %d of %d feeds: %w", len(group), len(pending), err)
		}
	}
	return announcements(revisions), nil
}

// recount counts feeds whose heads were read before. The count includes the writes of the revision that was read. It is
// stored even if the feed was bumped meanwhile, and the feed then stays pending. A feed that always changes is
// therefore counted too. A count never replaces one of the same or a later revision.
func (s *FeedStore[T]) recount(ctx context.Context, heads []feedDocument, revisions map[string]int64) error {
	slices.SortFunc(heads, func(a, b feedDocument) int { return strings.Compare(a.Name, b.Name) })
	names := make([]string, 0, len(heads))
	for _, head := range heads {
		names = append(names, head.Name)
	}
	counts, err := s.count(ctx, names)
	if err != nil {
		return err
	}
	writes := make([]write, 0, len(heads))
	for _, head := range heads {
		count := counts[head.Name]
		writes = append(writes, write{model: mongo.NewUpdateOneModel().
			SetFilter(bson.D{
				{Key: fieldID, Value: head.Name},
				{Key: "counted", Value: bson.D{{Key: "$lt", Value: head.Revision}}},
			}).
			SetUpdate(countOf(count, head.Revision))})
		revision := head.Revision
		if count != head.Count {
			revision++
		}
		revisions[head.Name] = max(revisions[head.Name], revision)
	}
	_, err = writeAll(ctx, s.feeds, writes)
	return err
}

// countOf sets a count as of a revision. A different count makes a new revision, because readers may have seen the old
// count with the present one.
func countOf(count, revision int64) mongo.Pipeline {
	return mongo.Pipeline{{{Key: "$set", Value: bson.D{
		{Key: fieldCount, Value: count},
		{Key: "counted", Value: revision},
		{Key: fieldChanged, Value: time.Now().UnixMicro()},
		{Key: fieldRevision, Value: bson.D{{Key: "$add", Value: bson.A{"$rev", bson.D{{Key: "$cond", Value: bson.A{
			bson.D{{Key: "$ne", Value: bson.A{"$count", count}}}, int64(1), int64(0),
		}}}}}}},
		{Key: fieldPending, Value: bson.D{{Key: "$cond", Value: bson.A{
			bson.D{{Key: "$eq", Value: bson.A{"$rev", revision}}}, "$$REMOVE", "$pending",
		}}}},
	}}}}
}

// pendingOfOthers counts how often each pending count was left to another store. A store that has ended counts no more, so
// after some calls its feeds are counted here. Calls are counted instead of time, so that no clock is needed. At worst a
// feed is counted twice, which does no harm.
type pendingOfOthers struct {
	mu   sync.Mutex
	seen map[feedDocument]int // in how many calls one after the other
}

// choose returns the pending feeds that the store with the counter has to count, and notes the others.
func (o *pendingOfOthers) choose(pending []feedDocument, counter string) []feedDocument {
	o.mu.Lock()
	defer o.mu.Unlock()
	seen := make(map[feedDocument]int)
	left := slices.DeleteFunc(pending, func(head feedDocument) bool {
		calls := o.seen[head] + 1
		if head.Pending == counter || calls >= driver.RecountCalls {
			return false
		}
		seen[head] = calls
		return true
	})
	o.seen = seen
	return left
}
