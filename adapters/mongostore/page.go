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
	"github.com/feedmill/feedmill/cqrsfeed/limits"
)

// inOneBatch makes the server return a page in one round trip. By default the first batch has 101 documents.
const inOneBatch = limits.MaxPageLimit + 2

// newest is greater than every position.
const newest = "g"

// Page implements cqrsfeed.FeedStore. It reads the head of the feed and then a range of the index, so that its cost
// does not depend on the feed's size.
//
// The head is read before the items, so that a page shows at least the state of its revision. Newer items are followed
// by their own bump and announcement. If this store was the last to write the head, as far as it knows, both are read
// at once, and the items again if the head has changed.
func (s *FeedStore[T]) Page(ctx context.Context, feed, cursor string, limit int) (cqrsfeed.FeedPage[T], error) {
	page, err := s.page(ctx, feed, cursor, driver.PageLimit(limit))
	if err != nil {
		return cqrsfeed.FeedPage[T]{}, fmt.Errorf("page of feed %q: %w", feed, err)
	}
	return page, nil
}

func (s *FeedStore[T]) page(ctx context.Context, feed, cursor string, limit int) (cqrsfeed.FeedPage[T], error) {
	if err := cqrsfeed.ValidateFeed(feed); err != nil {
		return cqrsfeed.FeedPage[T]{}, err
	}
	before, err := positionBefore(cursor)
	if err != nil {
		return cqrsfeed.FeedPage[T]{}, err
	}
	var head feedDocument
	var page driver.Page[T]
	readHead := func(ctx context.Context) (err error) { head, err = s.head(ctx, feed); return err }
	readItems := func(ctx context.Context) (err error) { page, err = s.pageOf(ctx, feed, before, limit); return err }
	known := s.known.of(feed)
	if known.own {
		err = together(ctx, readHead, readItems)
	} else {
		err = readHead(ctx)
	}
	if err == nil && (!known.own || head != known.feedDocument) {
		s.known.read(head, known)
		err = readItems(ctx)
	}
	page.Feed = cqrsfeed.Feed{Name: feed, Count: head.Count, Revision: head.Revision}
	return page.FeedPage, err
}

// positionBefore returns the position that all items of a page are before.
func positionBefore(cursor string) (string, error) {
	if cursor == "" {
		return newest, nil
	}
	after, err := driver.DecodeCursor(cursor)
	return newPosition(after.CreatedAt, after.ID), err
}

// head reads a feed without its items.
func (s *FeedStore[T]) head(ctx context.Context, name string) (feedDocument, error) {
	head := feedDocument{Name: name}
	err := s.feeds.FindOne(ctx, bson.D{{Key: fieldID, Value: name}}).Decode(&head)
	if err != nil && !errors.Is(err, mongo.ErrNoDocuments) {
		return head, fmt.Errorf("read the feed's head: %w", err)
	}
	return head, nil
}

// pageOf reads up to limit items of a feed, newest first.
func (s *FeedStore[T]) pageOf(ctx context.Context, feed, position string, limit int) (driver.Page[T], error) {
	page := driver.NewPage[T](cqrsfeed.Feed{}, limit)
	if err := s.fill(ctx, &page, feed, position, limit+1); err != nil {
		return page, fmt.Errorf("read %s: %w", s.items.Name(), err)
	}
	return page, nil
}

// fill reads up to limit items of a feed, or of several with $in, until the page is complete. The server sends up to 16 MB at a time, so that a
// page of large bodies is not read to its end.
func (s *FeedStore[T]) fill(ctx context.Context, page *driver.Page[T], feed any, position string, limit int) error {
	cursor, err := s.items.Find(ctx, itemsOf(feed, position), options.Find().
		SetSort(newestFirst()).SetLimit(int64(limit)).SetHint(feedIndex).SetBatchSize(inOneBatch).
		SetProjection(bson.D{{Key: fieldFeeds, Value: 0}, {Key: "left", Value: 0}, {Key: "past", Value: 0}}))
	if err != nil {
		return missingIndex(feedIndex, err)
	}
	defer func() { _ = cursor.Close(ctx) }() // the server ends a cursor that is left to it
	for cursor.Next(ctx) {
		var document itemDocument
		if err := cursor.Decode(&document); err != nil {
			return err
		}
		item, err := itemOf[T](document)
		if err != nil {
			return err
		}
		if !page.Add(item) {
			return nil
		}
	}
	return cursor.Err()
}

// itemOf returns an item whose body is not decoded.
func itemOf[T any](document itemDocument) (cqrsfeed.Item[T], error) {
	created, err := document.created()
	return cqrsfeed.Item[T]{
		ID: document.ID, Version: document.Version, CreatedAt: created, UpdatedAt: time.UnixMicro(document.Updated).UTC(),
		Encoded: json.RawMessage(document.Body),
	}, err
}

// itemsOf is the filter for the items of a feed before a position.
func itemsOf(feed any, position string) bson.D {
	return bson.D{
		{Key: fieldFeeds, Value: feed},
		{Key: fieldPosition, Value: bson.D{{Key: "$lt", Value: position}}},
	}
}

func newestFirst() bson.D { return bson.D{{Key: fieldPosition, Value: -1}} }
