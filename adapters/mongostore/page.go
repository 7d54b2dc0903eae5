package mongostore

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"github.com/feedmill/feedmill/cqrsfeed"
	"github.com/feedmill/feedmill/cqrsfeed/driver"
)

// inOneBatch makes the server return a page in one round trip; its default is to begin with 101 documents.
const inOneBatch = cqrsfeed.MaxPageLimit + 2

// newest is greater than every position.
const newest = "g"

// Page implements cqrsfeed.FeedStore. It reads the head of the feed and then a range of the index, so that its cost does
// not depend on the feed's size.
//
// The head is read before the items, so that a page shows at least what its revision stands for. Items that are newer
// than the revision are followed by their own bump and announcement.
func (s *FeedStore[T]) Page(ctx context.Context, feed, cursor string, limit int) (cqrsfeed.FeedPage[T], error) {
	page, err := s.page(ctx, feed, cursor, driver.PageLimit(limit))
	if err != nil {
		return cqrsfeed.FeedPage[T]{}, fmt.Errorf("page of feed %q: %w", feed, err)
	}
	return page, nil
}

func (s *FeedStore[T]) page(ctx context.Context, feed, cursor string, limit int) (cqrsfeed.FeedPage[T], error) {
	page := cqrsfeed.FeedPage[T]{}
	if err := cqrsfeed.ValidateFeed(feed); err != nil {
		return page, err
	}
	before := newest
	if cursor != "" {
		after, err := driver.DecodeCursor(cursor)
		if err != nil {
			return page, err
		}
		before = newPosition(after.CreatedAt, after.ID)
	}
	var err error
	if page.Feed, err = s.head(ctx, feed); err != nil {
		return page, err
	}
	// One more than asked for tells whether there is a next page.
	if page.Items, err = s.itemsBefore(ctx, feed, before, limit+1); err != nil {
		return page, err
	}
	if len(page.Items) > limit {
		page.Items = page.Items[:limit]
		last := page.Items[limit-1]
		page.Next = driver.EncodeCursor(driver.Position{CreatedAt: last.CreatedAt, ID: last.ID})
	}
	return page, nil
}

// head reads a feed without its items.
func (s *FeedStore[T]) head(ctx context.Context, name string) (cqrsfeed.Feed, error) {
	var head feedDocument
	err := s.feeds.FindOne(ctx, bson.D{{Key: fieldID, Value: name}}).Decode(&head)
	if err != nil && !errors.Is(err, mongo.ErrNoDocuments) {
		return cqrsfeed.Feed{}, fmt.Errorf("read the feed's head: %w", err)
	}
	return cqrsfeed.Feed{Name: name, Count: head.Count, Revision: head.Revision}, nil
}

// itemsBefore reads up to limit items of a feed, newest first.
func (s *FeedStore[T]) itemsBefore(ctx context.Context, feed, position string, limit int) ([]cqrsfeed.Item[T], error) {
	documents, err := findAll[itemDocument](ctx, s.items, itemsOf(feed, position), options.Find().
		SetSort(newestFirst()).SetLimit(int64(limit)).SetHint(feedIndex).
		SetProjection(bson.D{{Key: fieldFeeds, Value: 0}, {Key: "left", Value: 0}, {Key: "past", Value: 0}}))
	if err != nil {
		return nil, missingIndex(err)
	}
	items := make([]cqrsfeed.Item[T], 0, len(documents))
	for _, document := range documents {
		item := cqrsfeed.Item[T]{ID: document.ID, Version: document.Version, UpdatedAt: time.UnixMicro(document.Updated).UTC()}
		if item.CreatedAt, err = document.created(); err != nil {
			return nil, err
		}
		if err := json.Unmarshal([]byte(document.Body), &item.Body); err != nil {
			return nil, fmt.Errorf("decode body of item %q: %w", item.ID, err)
		}
		items = append(items, item)
	}
	return items, nil
}

// itemsOf is the filter for the items of a feed whose positions are less than one.
func itemsOf(feed, position string) bson.D {
	return bson.D{
		{Key: fieldFeeds, Value: feed},
		{Key: fieldPosition, Value: bson.D{{Key: "$lt", Value: position}}},
	}
}

func newestFirst() bson.D { return bson.D{{Key: fieldPosition, Value: -1}} }
