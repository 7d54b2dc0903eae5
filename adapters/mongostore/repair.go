package mongostore

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"

	"github.com/feedmill/feedmill/cqrsfeed"
	"github.com/feedmill/feedmill/cqrsfeed/readmodel"
)

var _ readmodel.Repairer[any] = (*FeedStore[any])(nil)

// Restate implements readmodel.Repairer. It takes the versions back that keep Apply from writing, and
// leaves the rest to Apply, which may be at work beside it. First those of the entries, while the record
// still keeps older versions from being written; then those of the records. Where a newer version claims the
// item at any moment of this, that one writes its entries anew, because they are older by then. What a crash
// cuts off in between is found by the next audit as it was.
func (s *FeedStore[T]) Restate(ctx context.Context, states []readmodel.Restatement[T]) ([]cqrsfeed.FeedUpdated, error) {
	changes := make([]cqrsfeed.FeedChange[T], 0, len(states))
	for _, state := range states {
		changes = append(changes, state.Change)
	}
	if _, err := planItems(changes); err != nil {
		return nil, fmt.Errorf("restate: %w", err)
	}
	if err := s.takeBack(ctx, states); err != nil {
		return nil, fmt.Errorf("restate %d items: %w", len(states), err)
	}
	return s.Apply(ctx, changes)
}

// takeBack reads the records, then the entries, and then the records again. An entry is written after its
// version claimed the item, so one whose record was the same before and after cannot be of a version that
// the record does not know: it is ours to take back, whatever version it says.
func (s *FeedStore[T]) takeBack(ctx context.Context, states []readmodel.Restatement[T]) error {
	seen := make(map[string]int64, len(states))
	for _, state := range states {
		seen[state.Change.Item.ID] = state.Seen.Version
	}
	records, err := s.recordsAs(ctx, seen)
	if err != nil {
		return err
	}
	owners := make(map[string]cqrsfeed.Item[T]) // by key of an entry
	for _, state := range states {
		item := state.Change.Item
		for _, at := range union(placesOf(state.Change), records[item.ID].everywhere()) {
			owners[at.key(item.ID)] = item
		}
	}
	entries, err := s.versionsOf(ctx, slices.Sorted(maps.Keys(owners)))
	if err != nil {
		return err
	}
	if records, err = s.recordsAs(ctx, seen); err != nil {
		return err
	}
	var writes []write
	for _, entry := range entries {
		item := owners[entry.Key]
		if _, same := records[item.ID]; same && entry.Version >= item.Version {
			writes = append(writes, write{model: mongo.NewUpdateOneModel().
				SetFilter(bson.D{{Key: "_id", Value: entry.Key}, {Key: "v", Value: entry.Version}}).
				SetUpdate(bson.D{{Key: "$set", Value: bson.D{{Key: "v", Value: item.Version - 1}}}})})
		}
	}
	if _, err := writeAll(ctx, s.entries, writes); err != nil {
		return err
	}
	return s.takeBackRecords(ctx, records)
}

// recordsAs reads the records that have the versions that were seen; version 0 stands for none, which is as
// good as an empty one.
func (s *FeedStore[T]) recordsAs(ctx context.Context, seen map[string]int64) (map[string]itemDocument, error) {
	records := make(map[string]itemDocument, len(seen))
	if len(seen) == 0 {
		return records, nil
	}
	documents, err := findAll[itemDocument](ctx, s.items, among(slices.Sorted(maps.Keys(seen))))
	if err != nil {
		return nil, err
	}
	for id, version := range seen {
		if version == 0 {
			records[id] = itemDocument{ID: id}
		}
	}
	for _, document := range documents {
		if document.Version == seen[document.ID] {
			records[document.ID] = document
		} else {
			delete(records, document.ID)
		}
	}
	return records, nil
}

// everywhere are the places where something of the item may be.
func (d itemDocument) everywhere() []place { return union(d.Feeds, d.Touched) }

// versionsOf reads the versions of the entries that there are among keys, in the order of keys.
func (s *FeedStore[T]) versionsOf(ctx context.Context, keys []string) ([]entryDocument, error) {
	var entries []entryDocument
	for chunk := range slices.Chunk(keys, maxBulkWrites) {
		documents, err := findAll[entryDocument](ctx, s.entries, among(chunk), versionOnly())
		if err != nil {
			return nil, err
		}
		entries = append(entries, documents...)
	}
	slices.SortFunc(entries, func(a, b entryDocument) int { return strings.Compare(a.Key, b.Key) })
	return entries, nil
}

// takeBackRecords makes records older than any version, and not done, so that the next claim keeps what
// they touched.
func (s *FeedStore[T]) takeBackRecords(ctx context.Context, records map[string]itemDocument) error {
	var writes []write
	for _, id := range slices.Sorted(maps.Keys(records)) {
		record := records[id]
		writes = append(writes, write{model: mongo.NewUpdateOneModel().
			SetFilter(bson.D{{Key: "_id", Value: id}, {Key: "v", Value: record.Version}}).
			SetUpdate(bson.D{
				{Key: "$set", Value: bson.D{{Key: "v", Value: int64(0)}, {Key: "touched", Value: record.everywhere()}}},
				{Key: "$unset", Value: bson.D{{Key: "done", Value: ""}}},
			})})
	}
	_, err := writeAll(ctx, s.items, writes)
	return err
}

// Forget implements readmodel.Repairer. The records go last, so that what a crash cuts off is found again.
func (s *FeedStore[T]) Forget(ctx context.Context, seen []readmodel.StoredItem) ([]cqrsfeed.FeedUpdated, error) {
	updated, err := s.forget(ctx, seen)
	if err != nil {
		return nil, fmt.Errorf("forget %d items: %w", len(seen), err)
	}
	return updated, nil
}

func (s *FeedStore[T]) forget(ctx context.Context, seen []readmodel.StoredItem) ([]cqrsfeed.FeedUpdated, error) {
	versionsSeen := make(map[string]int64, len(seen))
	for _, item := range seen {
		versionsSeen[item.ID] = item.Version
	}
	records, err := s.recordsAs(ctx, versionsSeen)
	if err != nil {
		return nil, err
	}
	feeds := make(map[string]bool)
	versions := make(map[string]int64)
	for id, record := range records {
		for _, at := range record.everywhere() {
			versions[at.key(id)] = record.Version
			feeds[at.feed()] = true
		}
	}
	var writes []write
	for _, key := range slices.Sorted(maps.Keys(versions)) {
		writes = append(writes, write{model: mongo.NewDeleteOneModel().SetFilter(olderThan(key, versions[key]+1))})
	}
	if _, err := writeAll(ctx, s.entries, writes); err != nil {
		return nil, err
	}
	updated, err := s.countAnew(ctx, feeds)
	if err != nil {
		return nil, err
	}
	writes = writes[:0]
	for _, id := range slices.Sorted(maps.Keys(records)) {
		writes = append(writes, write{model: mongo.NewDeleteOneModel().
			SetFilter(bson.D{{Key: "_id", Value: id}, {Key: "v", Value: records[id].Version}})})
	}
	_, err = writeAll(ctx, s.items, writes)
	return updated, err
}

// RemoveEntries implements readmodel.Repairer.
func (s *FeedStore[T]) RemoveEntries(ctx context.Context, seen []readmodel.StoredEntry) ([]cqrsfeed.FeedUpdated, error) {
	feeds := make(map[string]bool)
	versions := make(map[string]int64, len(seen))
	for _, entry := range seen {
		feeds[entry.Place.Feed] = true
		versions[keyOf(entry.Place)] = entry.Version
	}
	writes := make([]write, 0, len(seen))
	for _, key := range slices.Sorted(maps.Keys(versions)) {
		writes = append(writes, write{model: mongo.NewDeleteOneModel().
			SetFilter(bson.D{{Key: "_id", Value: key}, {Key: "v", Value: versions[key]}})})
	}
	if _, err := writeAll(ctx, s.entries, writes); err != nil {
		return nil, fmt.Errorf("remove %d entries: %w", len(seen), err)
	}
	return s.countAnew(ctx, feeds)
}

// RecountFeeds implements readmodel.Repairer.
func (s *FeedStore[T]) RecountFeeds(ctx context.Context, feeds []string) ([]cqrsfeed.FeedUpdated, error) {
	named := make(map[string]bool, len(feeds))
	for _, feed := range feeds {
		named[feed] = true
	}
	return s.countAnew(ctx, named)
}
