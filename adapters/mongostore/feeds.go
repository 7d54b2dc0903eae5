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

// Feeds implements cqrsfeed.FeedStore. It reads a range of an index that contains only the feeds with items.
func (s *FeedStore[T]) Feeds(ctx context.Context, after string, limit int) ([]cqrsfeed.Feed, error) {
	if !utf8.ValidString(after) {
		return nil, fmt.Errorf("list feeds: %w: name %q is not valid UTF-8", cqrsfeed.ErrInvalid, after)
	}
	documents, err := findAll[feedDocument](ctx, s.feeds,
		bson.D{
			{Key: fieldID, Value: bson.D{{Key: "$gt", Value: after}}},
			{Key: fieldCount, Value: hasItems()},
		},
		options.Find().SetSort(byID()).SetLimit(int64(driver.PageLimit(limit))).SetHint(listedIndex))
	if err != nil {
		return nil, fmt.Errorf("list feeds after %q: %w", after, missingIndex(listedIndex, err))
	}
	feeds := make([]cqrsfeed.Feed, 0, len(documents))
	for _, document := range documents {
		feeds = append(feeds, cqrsfeed.Feed{Name: document.Name, Count: document.Count, Revision: document.Revision})
	}
	return feeds, nil
}

// hasItems is the condition for the count of a feed with items.
func hasItems() bson.D { return bson.D{{Key: "$gt", Value: int32(0)}} }

func byID() bson.D { return bson.D{{Key: fieldID, Value: 1}} }

// ItemVersion implements cqrsfeed.FeedStore.
func (s *FeedStore[T]) ItemVersion(ctx context.Context, id string) (int64, error) {
	if err := cqrsfeed.ValidateID(id); err != nil {
		return 0, fmt.Errorf("version of item: %w", err)
	}
	var item itemDocument
	err := s.items.FindOne(ctx, bson.D{{Key: fieldID, Value: id}},
		options.FindOne().SetProjection(bson.D{{Key: fieldVersion, Value: 1}})).Decode(&item)
	if err != nil && !errors.Is(err, mongo.ErrNoDocuments) {
		return 0, fmt.Errorf("version of item %q: %w", id, err)
	}
	return item.Version, nil
}
