package mongostore

import (
	"context"
	"encoding/base64"
	"fmt"
	"slices"
	"strings"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"github.com/feedmill/feedmill/cqrsfeed"
	"github.com/feedmill/feedmill/cqrsfeed/driver"
	"github.com/feedmill/feedmill/cqrsfeed/readmodel"
)

// This file goes when readmodel asks for items and no longer for entries.

// StoredEntries implements readmodel.Inspector.
func (s *FeedStore[T]) StoredEntries(ctx context.Context, places []readmodel.Place) ([]readmodel.StoredEntry, error) {
	var ids []string
	for _, place := range places {
		ids = append(ids, place.ID)
	}
	documents, err := s.itemsByID(ctx, union(ids))
	if err != nil {
		return nil, err
	}
	byID := make(map[string]itemDocument)
	for _, document := range documents {
		byID[document.ID] = document
	}
	var entries []readmodel.StoredEntry
	for _, place := range places {
		document := byID[place.ID]
		if slices.Contains(document.Feeds, place.Feed) && document.Position == newPosition(place.CreatedAt, place.ID) {
			entries = append(entries, readmodel.StoredEntry{
				Place: place, Version: document.Version, UpdatedAt: time.UnixMicro(document.Updated).UTC(), Body: []byte(document.Body),
			})
		}
	}
	return entries, nil
}

// StoredPlaces implements readmodel.Inspector.
func (s *FeedStore[T]) StoredPlaces(ctx context.Context, cursor string, limit int) ([]readmodel.Place, string, error) {
	raw, err := base64.RawURLEncoding.DecodeString(cursor)
	if err != nil {
		return nil, "", fmt.Errorf("%w: not base64url", cqrsfeed.ErrBadCursor)
	}
	feed, before, _ := strings.Cut(string(raw), "\x00")
	limit = driver.PageLimit(limit)
	for {
		if feed != "" {
			documents, err := findAll[itemDocument](ctx, s.items, itemsOf(feed, before), options.Find().
				SetSort(newestFirst()).SetLimit(int64(limit)).SetHint(feedIndex))
			if err != nil {
				return nil, "", err
			}
			var places []readmodel.Place
			for _, document := range documents {
				created, err := document.created()
				if err != nil {
					return nil, "", err
				}
				places = append(places, readmodel.Place{Feed: feed, CreatedAt: created, ID: document.ID})
			}
			if len(places) > 0 {
				last := documents[len(documents)-1].Position
				return places, base64.RawURLEncoding.EncodeToString([]byte(feed + "\x00" + last)), nil
			}
		}
		heads, err := findAll[feedDocument](ctx, s.feeds, bson.D{{Key: fieldID, Value: bson.D{{Key: "$gt", Value: feed}}}},
			options.Find().SetSort(byID()).SetLimit(1))
		if err != nil || len(heads) == 0 {
			return nil, "", err
		}
		feed, before = heads[0].Name, newest
	}
}

// RemoveEntries implements readmodel.Repairer.
func (s *FeedStore[T]) RemoveEntries(ctx context.Context, seen []readmodel.StoredEntry) ([]cqrsfeed.FeedUpdated, error) {
	var feeds []string
	var writes []write
	for _, entry := range seen {
		feeds = append(feeds, entry.Place.Feed)
		writes = append(writes, write{model: mongo.NewUpdateOneModel().SetFilter(at(entry.Place.ID, entry.Version)).
			SetUpdate(bson.D{{Key: "$pull", Value: bson.D{{Key: fieldFeeds, Value: entry.Place.Feed}}}})})
	}
	if _, err := writeAll(ctx, s.items, writes); err != nil {
		return nil, err
	}
	return s.RecountFeeds(ctx, feeds)
}
