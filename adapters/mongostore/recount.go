package mongostore

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"github.com/feedmill/feedmill/cqrsfeed"
)

// recountGroup is how many pending feeds are taken together: a few count commands beside each other.
const recountGroup = rangesPerCount * countsAtOnce

// recountMost bounds one call of Recount, and so its answer. What is left comes with the next call.
const recountMost = 10_000

// Recount implements cqrsfeed.Recounter: it counts the feeds whose count is pending, except large ones that
// were counted so recently that counting would take more than a tenth of the time. It also takes the second
// look at feeds that items left. Any number of processes may call it at once. After a failure it returns also the
// feeds of the group that it failed at: whether their counts were written before the answer was lost it cannot tell.
func (s *FeedStore[T]) Recount(ctx context.Context) ([]cqrsfeed.FeedUpdated, error) {
	revisions := make(map[string]int64)
	if err := s.lookAgain(ctx, revisions); err != nil {
		return announcements(revisions), fmt.Errorf("second look at feeds that items left: %w", err)
	}
	cursor, err := s.feeds.Find(ctx, bson.D{{Key: "pending", Value: true}}, options.Find().SetLimit(recountMost))
	if err != nil {
		return announcements(revisions), fmt.Errorf("find feeds whose count is pending: %w", err)
	}
	var pending []feedDocument
	if err := cursor.All(ctx, &pending); err != nil {
		return announcements(revisions), fmt.Errorf("find feeds whose count is pending: %w", err)
	}
	now := time.Now()
	pending = slices.DeleteFunc(pending, func(f feedDocument) bool {
		return !s.budget.allows(f.Name, 0, now)
	})
	for group := range slices.Chunk(pending, recountGroup) {
		if err := s.recount(ctx, group, revisions); err != nil {
			return announcements(revisions), fmt.Errorf("recount %d of %d feeds: %w", len(group), len(pending), err)
		}
	}
	return announcements(revisions), nil
}

// recount counts after it read how many changes there were, so that the count has all of them. A count as
// of as many changes or more is never replaced. Unlike the one of Apply it is stored also when changes go
// on meanwhile, or a feed that is always written to would never be counted; it then stays pending.
func (s *FeedStore[T]) recount(ctx context.Context, feeds []feedDocument, revisions map[string]int64) error {
	names := make([]string, 0, len(feeds))
	for _, feed := range feeds {
		names = append(names, feed.Name)
	}
	counts, err := counter{entries: s.entries, budget: s.budget}.count(ctx, names)
	if err != nil {
		return err
	}
	slices.SortFunc(feeds, func(a, b feedDocument) int { return strings.Compare(a.Name, b.Name) })
	writes := make([]write, 0, len(feeds))
	for _, feed := range feeds {
		count := counts[feed.Name]
		writes = append(writes, write{model: mongo.NewUpdateOneModel().
			SetFilter(bson.D{
				{Key: "_id", Value: feed.Name},
				{Key: "counted", Value: bson.D{{Key: "$lt", Value: feed.Changes}}},
			}).
			SetUpdate(countUpdate(count, feed.Changes))})
		revisions[feed.Name] = max(revisions[feed.Name], feed.Revision)
		if count != feed.Count {
			revisions[feed.Name] = max(revisions[feed.Name], feed.Revision+1)
		}
	}
	_, err = writeAll(ctx, s.feeds, writes)
	return err
}
