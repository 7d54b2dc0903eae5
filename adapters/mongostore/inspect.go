package mongostore

import (
	"context"
	"encoding/base64"
	"fmt"
	"strings"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"github.com/feedmill/feedmill/cqrsfeed"
	"github.com/feedmill/feedmill/cqrsfeed/driver"
	"github.com/feedmill/feedmill/cqrsfeed/readmodel"
)

var _ readmodel.Inspector = (*FeedStore[any])(nil)

// findAll reads all documents that a filter finds.
func findAll[D any](
	ctx context.Context, collection *mongo.Collection, filter any, opts ...options.Lister[options.FindOptions],
) ([]D, error) {
	var documents []D
	cursor, err := collection.Find(ctx, filter, opts...)
	if err == nil {
		err = cursor.All(ctx, &documents)
	}
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", collection.Name(), err)
	}
	return documents, nil
}

// among is the filter for documents by their _id.
func among(ids []string) bson.D {
	return bson.D{{Key: "_id", Value: bson.D{{Key: "$in", Value: ids}}}}
}

// pageByID reads up to limit documents in the order of _id, from the first greater than after, with the
// fields that are named.
func pageByID(after string, limit int, fields ...string) (bson.D, *options.FindOptionsBuilder) {
	projection := bson.D{{Key: "_id", Value: 1}}
	for _, field := range fields {
		projection = append(projection, bson.E{Key: field, Value: 1})
	}
	return bson.D{{Key: "_id", Value: bson.D{{Key: "$gt", Value: after}}}}, options.Find().
		SetSort(bson.D{{Key: "_id", Value: 1}}).SetLimit(int64(limit)).SetBatchSize(inOneBatch).SetProjection(projection)
}

// StoredIDs implements readmodel.Inspector.
func (s *FeedStore[T]) StoredIDs(ctx context.Context, after string, limit int) ([]string, error) {
	filter, page := pageByID(after, driver.PageLimit(limit))
	documents, err := findAll[itemDocument](ctx, s.items, filter, page)
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
	if len(ids) == 0 {
		return nil, nil
	}
	documents, err := findAll[itemDocument](ctx, s.items, among(ids), options.Find().SetBatchSize(inOneBatch))
	if err != nil {
		return nil, fmt.Errorf("records of %d items: %w", len(ids), err)
	}
	items := make([]readmodel.StoredItem, 0, len(documents))
	for _, document := range documents {
		item := readmodel.StoredItem{ID: document.ID, Version: document.Version, Applied: document.Done}
		for _, at := range document.Feeds {
			stored, err := placeIn(at.key(document.ID))
			if err != nil {
				return nil, fmt.Errorf("record of item %q: %w", document.ID, err)
			}
			item.Places = append(item.Places, stored)
		}
		items = append(items, item)
	}
	return items, nil
}

// StoredEntries implements readmodel.Inspector.
func (s *FeedStore[T]) StoredEntries(ctx context.Context, places []readmodel.Place) ([]readmodel.StoredEntry, error) {
	if len(places) == 0 {
		return nil, nil
	}
	keys := make([]string, 0, len(places))
	for _, at := range places {
		keys = append(keys, keyOf(at))
	}
	documents, err := findAll[entryDocument](ctx, s.entries, among(keys), options.Find().SetBatchSize(inOneBatch))
	if err != nil {
		return nil, fmt.Errorf("%d entries: %w", len(keys), err)
	}
	entries := make([]readmodel.StoredEntry, 0, len(documents))
	for _, document := range documents {
		at, err := placeIn(document.Key)
		if err != nil {
			return nil, err
		}
		entries = append(entries, readmodel.StoredEntry{
			Place: at, Version: document.Version,
			UpdatedAt: time.UnixMicro(document.Updated).UTC(), Body: []byte(document.Body),
		})
	}
	return entries, nil
}

// StoredPlaces implements readmodel.Inspector, in the order of the entries' keys.
func (s *FeedStore[T]) StoredPlaces(ctx context.Context, cursor string, limit int) ([]readmodel.Place, string, error) {
	after, err := base64.RawURLEncoding.DecodeString(cursor)
	if err != nil {
		return nil, "", fmt.Errorf("list entries: %w: %w", cqrsfeed.ErrBadCursor, err)
	}
	limit = driver.PageLimit(limit)
	filter, page := pageByID(string(after), limit)
	documents, err := findAll[entryDocument](ctx, s.entries, filter, page)
	if err != nil {
		return nil, "", fmt.Errorf("list entries after %q: %w", after, err)
	}
	places := make([]readmodel.Place, 0, len(documents))
	for _, document := range documents {
		at, err := placeIn(document.Key)
		if err != nil {
			return nil, "", err
		}
		places = append(places, at)
	}
	if len(documents) < limit {
		return places, "", nil
	}
	return places, base64.RawURLEncoding.EncodeToString([]byte(documents[limit-1].Key)), nil
}

// StoredCounts implements readmodel.Inspector. What readers see is read before the entries are counted.
func (s *FeedStore[T]) StoredCounts(ctx context.Context, feeds []string) ([]readmodel.StoredCount, error) {
	if len(feeds) == 0 {
		return nil, nil
	}
	heads, err := s.headsOf(ctx, feeds)
	if err != nil {
		return nil, err
	}
	// A budget of its own: what an audit counts must not keep Recount from counting.
	counts, err := counter{entries: s.entries, budget: newCountBudget()}.count(ctx, feeds)
	if err != nil {
		return nil, err
	}
	stored := make([]readmodel.StoredCount, 0, len(feeds))
	for _, feed := range feeds {
		stored = append(stored, readmodel.StoredCount{
			Feed: feed, Count: heads[feed].Count, Revision: heads[feed].Revision, Entries: counts[feed],
		})
	}
	return stored, nil
}

func (s *FeedStore[T]) headsOf(ctx context.Context, feeds []string) (map[string]feedDocument, error) {
	documents, err := findAll[feedDocument](ctx, s.feeds, among(feeds), options.Find().SetBatchSize(inOneBatch))
	if err != nil {
		return nil, fmt.Errorf("heads of %d feeds: %w", len(feeds), err)
	}
	heads := make(map[string]feedDocument, len(documents))
	for _, document := range documents {
		heads[document.Name] = document
	}
	return heads, nil
}

func keyOf(at readmodel.Place) string { return newPlace(at.Feed, at.CreatedAt).key(at.ID) }

// placeIn reads the key of an entry, whose feed is in front of the first separator.
func placeIn(key string) (readmodel.Place, error) {
	escaped, _, found := strings.Cut(key, separator)
	if !found {
		return readmodel.Place{}, fmt.Errorf("key %q is not one of an entry", key)
	}
	feed := unescape(escaped)
	id, created, err := itemOf(feed, key)
	return readmodel.Place{Feed: feed, CreatedAt: created, ID: id}, err
}
