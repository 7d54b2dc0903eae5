package mongostore

import (
	"context"
	"fmt"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"github.com/feedmill/feedmill/cqrsfeed/driver"
	"github.com/feedmill/feedmill/cqrsfeed/readmodel"
)

// StoredIDs implements readmodel.Inspector.
func (s *FeedStore[T]) StoredIDs(ctx context.Context, after string, limit int) ([]string, error) {
	documents, err := findAll[itemDocument](ctx, s.items,
		bson.D{{Key: fieldID, Value: bson.D{{Key: "$gt", Value: after}}}},
		options.Find().SetSort(byID()).SetLimit(int64(driver.PageLimit(limit))).SetProjection(byID()))
	if err != nil {
		return nil, fmt.Errorf("list items after %q: %w", after, err)
	}
	ids := make([]string, 0, len(documents))
	for _, document := range documents {
		ids = append(ids, document.ID)
	}
	return ids, nil
}

// StoredItems implements readmodel.Inspector.
func (s *FeedStore[T]) StoredItems(ctx context.Context, ids []string) ([]readmodel.StoredItem, error) {
	documents, err := s.itemsByID(ctx, ids, options.Find())
	if err != nil {
		return nil, fmt.Errorf("read %d items: %w", len(ids), err)
	}
	items := make([]readmodel.StoredItem, 0, len(documents))
	for _, document := range documents {
		created, err := document.created()
		if err != nil {
			return nil, err
		}
		items = append(items, readmodel.StoredItem{
			ID: document.ID, Version: document.Version, Rule: document.Rule, Withheld: document.Withheld, Feeds: union(document.Feeds),
			CreatedAt: created, UpdatedAt: time.UnixMicro(document.Updated).UTC(), Body: []byte(document.Body),
		})
	}
	return items, nil
}

// itemsByID reads items.
func (c collections) itemsByID(ctx context.Context, ids []string, opts *options.FindOptionsBuilder) ([]itemDocument, error) {
	if len(ids) == 0 {
		return nil, nil
	}
	return findAll[itemDocument](ctx, c.items, among(ids), opts)
}

func withoutBody() bson.D { return bson.D{{Key: fieldBody, Value: 0}} }

// StoredCounts implements readmodel.Inspector. It reads the stored counts first and then counts the items.
func (s *FeedStore[T]) StoredCounts(ctx context.Context, feeds []string) ([]readmodel.StoredCount, error) {
	heads, err := s.headsOf(ctx, feeds)
	if err != nil {
		return nil, fmt.Errorf("counts of %d feeds: %w", len(feeds), err)
	}
	counts, err := s.count(ctx, feeds)
	if err != nil {
		return nil, err
	}
	stored := make([]readmodel.StoredCount, 0, len(feeds))
	for _, feed := range feeds {
		count := readmodel.StoredCount{Feed: feed, Items: counts[feed]}
		if head := heads[feed]; head != nil {
			count.Count, count.Revision = head.Count, head.Revision
		}
		stored = append(stored, count)
	}
	return stored, nil
}
