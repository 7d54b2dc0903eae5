package mongostore

import (
	"context"
	"fmt"

	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/feedmill/feedmill/cqrsfeed"
	"github.com/feedmill/feedmill/cqrsfeed/driver"
)

// Union implements cqrsfeed.UnionStore. It reads the heads of the feeds, and then as many ranges of the index, which the server
// merges until the page is full.
func (s *FeedStore[T]) Union(ctx context.Context, feeds []string, cursor string, limit int) (cqrsfeed.FeedPage[T], error) {
	page, err := s.union(ctx, feeds, cursor, driver.PageLimit(limit))
	if err != nil {
		return cqrsfeed.FeedPage[T]{}, fmt.Errorf("page of the union of %d feeds: %w", len(feeds), err)
	}
	return page, nil
}

func (s *FeedStore[T]) union(ctx context.Context, feeds []string, cursor string, limit int) (page cqrsfeed.FeedPage[T], err error) {
	names, err := driver.UnionNames(feeds)
	if err != nil {
		return page, err
	}
	before, err := positionBefore(cursor)
	if err != nil {
		return page, err
	}
	if len(names) == 0 {
		return driver.NewUnion[T](nil, nil, limit).FeedPage, nil
	}
	heads, err := s.heads(ctx, names)
	if err != nil {
		return page, err
	}
	union := driver.NewUnion[T](names, heads, limit)
	if err := s.fill(ctx, &union, oneOf(names), before, limit+1); err != nil {
		return page, fmt.Errorf("read %s: %w", s.items.Name(), err)
	}
	return union.FeedPage, nil
}

// oneOf matches each of the names.
func oneOf(names []string) bson.D { return bson.D{{Key: "$in", Value: names}} }

// heads reads feeds without their items. Those that the store does not have are missing.
func (s *FeedStore[T]) heads(ctx context.Context, names []string) ([]cqrsfeed.Feed, error) {
	cursor, err := s.feeds.Find(ctx, among(names))
	var found []feedDocument
	if err == nil {
		err = cursor.All(ctx, &found)
	}
	if err != nil {
		return nil, fmt.Errorf("read the heads of feeds: %w", err)
	}
	heads := make([]cqrsfeed.Feed, len(found))
	for i, head := range found {
		heads[i] = cqrsfeed.Feed{Name: head.Name, Count: head.Count, Revision: head.Revision}
	}
	return heads, nil
}
