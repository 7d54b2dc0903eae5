package readmodel

import (
	"context"
	"fmt"
	"maps"
	"slices"

	"github.com/feedmill/feedmill/cqrsfeed"
)

// itemSuspect is an item that looked wrong. after is an id in front of it from which the write model finds
// it again, and version is what the write model had, 0 for nothing.
type itemSuspect struct {
	after, id string
	version   int64
}

// finding is an item that looks wrong now.
type finding[T any] struct {
	drift  Drift
	stored StoredItem
	// change is what the store should have, unless the write model does not know the item or it is refused.
	change *cqrsfeed.FeedChange[T]
}

// checkItems goes through the ids of both models together.
func (a *audit[T]) checkItems(ctx context.Context) error {
	for after := ""; ; {
		items, err := a.source.scan(ctx, after, a.config.BatchSize)
		if err != nil {
			return err
		}
		ids, err := a.storedIDs(ctx, after)
		if err != nil {
			return err
		}
		if len(items) == 0 && len(ids) == 0 {
			break
		}
		until := commonEnd(items, ids)
		versions := make(map[string]cqrsfeed.Item[T])
		for _, item := range items {
			if item.ID <= until {
				versions[item.ID] = item
			}
		}
		ids = slices.DeleteFunc(ids, func(id string) bool { return id > until })
		ids = append(ids, slices.Collect(maps.Keys(versions))...)
		slices.Sort(ids)
		ids = slices.Compact(ids)
		found, err := a.compare(ctx, versions, ids)
		if err != nil {
			return err
		}
		for _, f := range found {
			a.items.later(itemSuspect{after, f.drift.Item, versions[f.drift.Item].Version}, 1)
		}
		a.summary.Items += int64(len(ids))
		if err := a.items.lookAtDue(ctx); err != nil {
			return err
		}
		a.progress()
		after = until
	}
	return a.items.finish(ctx)
}

// commonEnd is the id up to which both models were read.
func commonEnd[T any](items []cqrsfeed.Item[T], ids []string) string {
	switch {
	case len(items) == 0:
		return ids[len(ids)-1]
	case len(ids) == 0:
		return items[len(items)-1].ID
	default:
		return min(items[len(items)-1].ID, ids[len(ids)-1])
	}
}

func (a *audit[T]) storedIDs(ctx context.Context, after string) (ids []string, err error) {
	err = a.try(ctx, func() error {
		ids, err = a.inspector.StoredIDs(ctx, after, a.config.BatchSize)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("list what the store has after item %q: %w", after, err)
	}
	return ids, nil
}

// compare returns those of the items that look wrong, in the order of ids. items are those that the write
// model has.
func (a *audit[T]) compare(ctx context.Context, items map[string]cqrsfeed.Item[T], ids []string) ([]finding[T], error) {
	stored, err := a.storedItems(ctx, ids)
	if err != nil {
		return nil, err
	}
	changes := make(map[string]cqrsfeed.FeedChange[T], len(items))
	refused := make(map[string]error)
	var places []Place
	for id, item := range items {
		change, err := a.source.change(item)
		if err != nil {
			refused[id] = err
			continue
		}
		changes[id] = change
		places = append(places, PlacesOf(change)...)
	}
	entries, err := a.storedEntries(ctx, places)
	if err != nil {
		return nil, err
	}
	var found []finding[T]
	for _, id := range ids {
		f := finding[T]{stored: stored[id]}
		change, known := changes[id]
		reason, isRefused := refused[id]
		wrong := true
		switch {
		case known:
			f.drift, wrong = driftOf(change, stored[id], entries)
			f.change = &change
		case isRefused:
			f.drift = Drift{Kind: DriftRefused, Item: id, Want: reason.Error(), Got: describeVersion(stored[id])}
		case stored[id].ID == "":
			wrong = false // neither has it
		default:
			f.drift = Drift{Kind: DriftOrphan, Item: id, Want: "nothing", Got: describeVersion(stored[id])}
		}
		if wrong {
			found = append(found, f)
		}
	}
	return found, nil
}

func (a *audit[T]) storedItems(ctx context.Context, ids []string) (map[string]StoredItem, error) {
	stored := make(map[string]StoredItem, len(ids))
	for chunk := range slices.Chunk(ids, cqrsfeed.MaxPageLimit) {
		var items []StoredItem
		err := a.try(ctx, func() (err error) {
			items, err = a.inspector.StoredItems(ctx, chunk)
			return err
		})
		if err != nil {
			return nil, fmt.Errorf("read what the store has of %d items from %q on: %w", len(chunk), chunk[0], err)
		}
		for _, item := range items {
			stored[item.ID] = item
		}
	}
	return stored, nil
}

func (a *audit[T]) storedEntries(ctx context.Context, places []Place) (map[Place]StoredEntry, error) {
	stored := make(map[Place]StoredEntry, len(places))
	for chunk := range slices.Chunk(places, cqrsfeed.MaxPageLimit) {
		var entries []StoredEntry
		err := a.try(ctx, func() (err error) {
			entries, err = a.inspector.StoredEntries(ctx, chunk)
			return err
		})
		if err != nil {
			return nil, fmt.Errorf("read %d entries: %w", len(chunk), err)
		}
		for _, entry := range entries {
			stored[entry.Place.at()] = entry
		}
	}
	return stored, nil
}
