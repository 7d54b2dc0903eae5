package mongostore

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"
)

const (
	// looksAtOnce bounds one call. What is left comes with the next one, a second later.
	looksAtOnce = 2000
	// keysPerFind bounds how many entries are asked for by one command.
	keysPerFind = 1000
)

// lookAgain looks once more at the places of items that left a feed SecondLook ago. A worker that read the
// item before that may have stood still and written an entry there since, against no guard: the entry that
// would have shown it to be late was gone. Workers that read the item later write nothing there, and by now
// those that read it earlier are through, so nothing can come after this look.
//
// A crash in it leaves the item due.
func (s *FeedStore[T]) lookAgain(ctx context.Context, revisions map[string]int64) error {
	before := time.Now().Add(-s.config.SecondLook).UnixMicro()
	cursor, err := s.items.Find(ctx, bson.D{{Key: "left", Value: bson.D{{Key: "$lte", Value: before}}}},
		options.Find().SetLimit(looksAtOnce))
	if err != nil {
		return fmt.Errorf("find items that are due: %w", err)
	}
	var due []itemDocument
	if err := cursor.All(ctx, &due); err != nil {
		return fmt.Errorf("find items that are due: %w", err)
	}
	if err := s.lookAt(ctx, due, revisions); err != nil {
		return fmt.Errorf("look at %d items: %w", len(due), err)
	}
	return nil
}

// lookAt clears away what came late. That goes the way of every late message, with the places where something
// was found in the part of the places that such a message names.
func (s *FeedStore[T]) lookAt(ctx context.Context, due []itemDocument, revisions map[string]int64) error {
	if len(due) == 0 {
		return nil
	}
	slices.SortFunc(due, func(a, b itemDocument) int { return strings.Compare(a.ID, b.ID) })
	if err := s.findStrays(ctx, due); err != nil {
		return err
	}
	var plans []*plan
	var found, seen []write
	for _, item := range due {
		seen = append(seen, write{model: seenAt(item)})
		if len(item.Strays) == 0 {
			continue
		}
		plans = append(plans, &plan{id: item.ID, others: item.Strays, state: item})
		found = append(found, write{model: mongo.NewUpdateOneModel().
			SetFilter(bson.D{{Key: "_id", Value: item.ID}}).
			SetUpdate(bson.D{{Key: "$set", Value: bson.D{{Key: "strays", Value: item.Strays}}}})})
	}
	// What was found is put on record first: once it is cleared away nothing else says that the feeds have yet to
	// be bumped and counted.
	if _, err := writeAll(ctx, s.items, found); err != nil {
		return err
	}
	if err := s.newApplication(plans, revisions).reconcile(ctx); err != nil {
		return err
	}
	if err := s.countAgain(ctx, due); err != nil {
		return err
	}
	_, err := writeAll(ctx, s.items, seen)
	return err
}

// countAgain marks the counts of the feeds that the items left as pending. A worker that was late can also have
// cleared away its own entry again, after it was counted, and died before the bump: then nothing is found, and
// the count is wrong.
func (s *FeedStore[T]) countAgain(ctx context.Context, due []itemDocument) error {
	feeds := make(map[string]bool)
	for _, item := range due {
		for _, at := range item.leftPlaces() {
			feeds[at.feed()] = true
		}
	}
	var writes []write
	for _, feed := range slices.Sorted(maps.Keys(feeds)) {
		writes = append(writes, write{model: mongo.NewUpdateOneModel().
			SetFilter(bson.D{{Key: "_id", Value: feed}}).
			SetUpdate(bson.D{
				{Key: "$inc", Value: bson.D{{Key: "changes", Value: int64(1)}}},
				{Key: "$set", Value: bson.D{{Key: "by", Value: bson.NewObjectID()}, {Key: "pending", Value: true}}},
			})})
	}
	_, err := writeAll(ctx, s.feeds, writes)
	return err
}

// seenAt ends the look at an item, unless it left another place meanwhile. One that left places later than the
// first has another look to come, so that an item that moves all the time is looked at as well.
func seenAt(item itemDocument) mongo.WriteModel {
	update := bson.D{{Key: "$unset", Value: bson.D{{Key: "left", Value: ""}, {Key: "leftLast", Value: ""}, {Key: "strays", Value: ""}}}}
	if item.LeftLast > item.Left {
		update = bson.D{
			{Key: "$set", Value: bson.D{{Key: "left", Value: item.LeftLast}}},
			{Key: "$unset", Value: bson.D{{Key: "strays", Value: ""}}},
		}
	}
	return mongo.NewUpdateOneModel().
		SetFilter(bson.D{{Key: "_id", Value: item.ID}, {Key: "left", Value: item.Left}, {Key: "leftLast", Value: item.LeftLast}}).
		SetUpdate(update)
}

// findStrays adds to each item's strays the places that it left and has an entry at.
func (s *FeedStore[T]) findStrays(ctx context.Context, due []itemDocument) error {
	type suspect struct {
		item *itemDocument
		at   place
	}
	suspects := make(map[string]suspect)
	var keys []string
	for i := range due {
		item := &due[i]
		for _, at := range item.leftPlaces() {
			key := at.key(item.ID)
			suspects[key] = suspect{item, at}
			keys = append(keys, key)
		}
	}
	for some := range slices.Chunk(keys, keysPerFind) {
		versions, err := s.entryVersions(ctx, some)
		if err != nil {
			return err
		}
		for key, version := range versions {
			if of := suspects[key]; version < of.item.Version {
				of.item.Strays = union(of.item.Strays, []place{of.at})
			}
		}
	}
	return nil
}
