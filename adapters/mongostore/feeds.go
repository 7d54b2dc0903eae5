package mongostore

import (
	"context"
	"errors"
	"fmt"
	"unicode/utf8"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"github.com/feedmill/feedmill/cqrsfeed"
	"github.com/feedmill/feedmill/cqrsfeed/driver"
)

// Feeds implements cqrsfeed.FeedStore. It reads a range of names; feeds that lost their last item are
// passed over there.
func (s *FeedStore[T]) Feeds(ctx context.Context, after string, limit int) ([]cqrsfeed.Feed, error) {
	if !utf8.ValidString(after) {
		return nil, fmt.Errorf("list feeds: %w: name %q is not valid UTF-8", cqrsfeed.ErrInvalid, after)
	}
	limit = driver.PageLimit(limit)
	cursor, err := s.feeds.Find(ctx,
		bson.D{
			{Key: "_id", Value: bson.D{{Key: "$gt", Value: after}}},
			{Key: "count", Value: bson.D{{Key: "$gt", Value: 0}}},
		},
		options.Find().SetSort(bson.D{{Key: "_id", Value: 1}}).SetLimit(int64(limit)).SetBatchSize(inOneBatch))
	if err != nil {
		return nil, fmt.Errorf("list feeds after %q: %w", after, err)
	}
	var documents []feedDocument
	if err := cursor.All(ctx, &documents); err != nil {
		return nil, fmt.Errorf("list feeds after %q: %w", after, err)
	}
	feeds := make([]cqrsfeed.Feed, 0, len(documents))
	for _, document := range documents {
		feeds = append(feeds, cqrsfeed.Feed{Name: document.Name, Count: document.Count, Revision: document.Revision})
	}
	return feeds, nil
}

// ItemVersion implements cqrsfeed.FeedStore. A version counts as applied when it is done; one that has only
// claimed the item does not, because its entries may be still to come.
func (s *FeedStore[T]) ItemVersion(ctx context.Context, id string) (int64, error) {
	if err := cqrsfeed.ValidateID(id); err != nil {
		return 0, fmt.Errorf("version of item: %w", err)
	}
	var item itemDocument
	err := s.items.FindOne(ctx, bson.D{{Key: "_id", Value: id}},
		options.FindOne().SetProjection(bson.D{{Key: "done", Value: 1}})).Decode(&item)
	if err != nil && !errors.Is(err, mongo.ErrNoDocuments) {
		return 0, fmt.Errorf("version of item %q: %w", id, err)
	}
	return item.Done, nil
}
