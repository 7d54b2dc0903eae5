package mongostore

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"github.com/feedmill/feedmill/cqrsfeed"
)

const (
	// recountGroup is how many pending feeds are counted before their counts are stored.
	recountGroup = feedsPerCount * countsAtOnce
	// recountMost bounds the feeds of one call.
	recountMost = 10_000
)

// Recount implements cqrsfeed.FeedStore: it counts the feeds whose count is pending, small ones first. Any number of
// processes may call it at once. Together with an error it also returns the feeds that it may have counted.
func (s *FeedStore[T]) Recount(ctx context.Context) ([]cqrsfeed.FeedUpdated, error) {
	pending, err := findAll[feedDocument](ctx, s.feeds, bson.D{{Key: fieldPending, Value: true}}, options.Find().SetLimit(recountMost))
	if err != nil {
		return nil, fmt.Errorf("find pending counts: %w", err)
	}
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

// recount counts feeds whose heads were read before. Such a count includes the writes of the revision that was read. It is stored
// also where the feed was bumped meanwhile, so that a feed that always changes is counted too, and is then still
// pending. A count never replaces one of the same or a later revision.
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

// countOf sets a count as of a revision. A count that differs makes a revision of its own, because readers may
// have seen the one before with the old count.
func countOf(count, revision int64) mongo.Pipeline {
	return mongo.Pipeline{{{Key: "$set", Value: bson.D{
		{Key: "count", Value: count},
		{Key: "counted", Value: revision},
		{Key: fieldRevision, Value: bson.D{{Key: "$add", Value: bson.A{"$rev", bson.D{{Key: "$cond", Value: bson.A{
			bson.D{{Key: "$ne", Value: bson.A{"$count", count}}}, int64(1), int64(0),
		}}}}}}},
		{Key: fieldPending, Value: bson.D{{Key: "$cond", Value: bson.A{
			bson.D{{Key: "$eq", Value: bson.A{"$rev", revision}}}, "$$REMOVE", true,
		}}}},
	}}}}
}
