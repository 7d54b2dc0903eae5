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

// inOneBatch makes the server answer a page in one round trip; its default is to begin with 101 documents.
const inOneBatch = cqrsfeed.MaxPageLimit + 2

// Page implements cqrsfeed.FeedStore. It costs two reads by _id, however large the feed is.
//
// The head is read before the entries, so that a page shows at least what its revision stands for: whoever
// takes a page for known by its revision misses nothing. Entries that are newer than the revision are
// followed by their own bump and announcement.
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
	keys := keyRange(feed)
	if cursor != "" {
		after, err := driver.DecodeCursor(cursor)
		if err != nil {
			return page, err
		}
		keys = keysBefore(feed, newPlace(feed, after.CreatedAt).key(after.ID))
	}
	var err error
	if page.Feed, err = s.head(ctx, feed); err != nil {
		return page, err
	}
	// One more than asked for tells whether there is a next page.
	if page.Items, err = s.read(ctx, feed, keys, limit+1); err != nil {
		return page, err
	}
	if len(page.Items) > limit {
		page.Items = page.Items[:limit]
		last := page.Items[limit-1]
		page.Next = driver.EncodeCursor(driver.Position{CreatedAt: last.CreatedAt, ID: last.ID})
	}
	return page, nil
}

// head reads a feed without its entries.
func (s *FeedStore[T]) head(ctx context.Context, name string) (cqrsfeed.Feed, error) {
	var head feedDocument
	err := s.feeds.FindOne(ctx, bson.D{{Key: "_id", Value: name}}).Decode(&head)
	if err != nil && !errors.Is(err, mongo.ErrNoDocuments) {
		return cqrsfeed.Feed{}, fmt.Errorf("read the feed's head: %w", err)
	}
	return cqrsfeed.Feed{Name: name, Count: head.Count, Revision: head.Revision}, nil
}

// read reads up to limit entries of a range of keys, newest first.
func (s *FeedStore[T]) read(ctx context.Context, feed string, keys bson.D, limit int) ([]cqrsfeed.Item[T], error) {
	cursor, err := s.entries.Find(ctx, keys, options.Find().
		SetSort(bson.D{{Key: "_id", Value: -1}}).SetLimit(int64(limit)).SetBatchSize(inOneBatch))
	if err != nil {
		return nil, fmt.Errorf("read entries: %w", err)
	}
	var documents []entryDocument
	if err := cursor.All(ctx, &documents); err != nil {
		return nil, fmt.Errorf("read entries: %w", err)
	}
	items := make([]cqrsfeed.Item[T], 0, len(documents))
	for _, document := range documents {
		item := cqrsfeed.Item[T]{Version: document.Version, UpdatedAt: time.UnixMicro(document.Updated).UTC()}
		if item.ID, item.CreatedAt, err = itemOf(feed, document.Key); err != nil {
			return nil, err
		}
		if err := json.Unmarshal([]byte(document.Body), &item.Body); err != nil {
			return nil, fmt.Errorf("decode body of item %q: %w", item.ID, err)
		}
		items = append(items, item)
	}
	return items, nil
}
