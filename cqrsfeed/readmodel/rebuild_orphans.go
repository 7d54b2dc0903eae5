package readmodel

import (
	"context"
	"fmt"
	"slices"

	"github.com/feedmill/feedmill/cqrsfeed"
)

// orphans finds and removes items of a store that the write model does not know.
type orphans[T any] struct {
	source    source[T]
	store     cqrsfeed.FeedStore[T]
	inspector Inspector
	repairer  Repairer[T]
	announcer *announcer
	attempts  int
}

// sweep removes the orphans behind after, up to until ("" for no end), where items are what the write model
// had there a moment ago. It returns how many there were.
func (o *orphans[T]) sweep(ctx context.Context, after, until string, items []cqrsfeed.Item[T]) (removed int64, err error) {
	known := make(map[string]bool, len(items))
	for _, item := range items {
		known[item.ID] = true
	}
	for {
		ids, err := o.ids(ctx, after)
		if err != nil {
			return removed, err
		}
		if until != "" {
			ids = slices.DeleteFunc(ids, func(id string) bool { return id > until })
		}
		if len(ids) == 0 {
			return removed, nil
		}
		last := ids[len(ids)-1]
		suspects := slices.DeleteFunc(ids, func(id string) bool { return known[id] })
		gone, err := o.remove(ctx, after, suspects)
		removed += int64(len(gone))
		if err != nil {
			return removed, err
		}
		after = last
	}
}

func (o *orphans[T]) ids(ctx context.Context, after string) (ids []string, err error) {
	err = try(ctx, o.attempts, func() error {
		ids, err = o.inspector.StoredIDs(ctx, after, cqrsfeed.MaxPageLimit)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("list what the store has after item %q: %w", after, err)
	}
	return ids, nil
}

// remove removes those of the items, sorted and behind after, that the write model does not know at this
// moment, and returns their ids.
//
// What the store has is read first, and only that is removed. An item that is created after the write model
// was asked may find the orphan in its place, and be taken for an older version of it; so the write model
// is asked once more when the orphan is gone. An item that is created later still finds nothing in its way.
func (o *orphans[T]) remove(ctx context.Context, after string, ids []string) ([]string, error) {
	if len(ids) == 0 {
		return nil, nil
	}
	var seen []StoredItem
	err := try(ctx, o.attempts, func() (err error) {
		seen, err = o.inspector.StoredItems(ctx, ids)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("read what the store has of %d items: %w", len(ids), err)
	}
	known, err := o.source.find(ctx, after, ids)
	if err != nil {
		return nil, err
	}
	seen = slices.DeleteFunc(seen, func(item StoredItem) bool {
		_, exists := known[item.ID]
		return exists
	})
	if len(seen) == 0 {
		return nil, nil
	}
	gone := make([]string, 0, len(seen))
	for _, item := range seen {
		gone = append(gone, item.ID)
	}
	slices.Sort(gone)
	var updated []cqrsfeed.FeedUpdated
	err = try(ctx, o.attempts, func() (err error) {
		updated, err = o.repairer.Forget(ctx, seen)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("forget %d items from %q on: %w", len(gone), gone[0], err)
	}
	if err := o.announcer.announce(ctx, updated); err != nil {
		return gone, err
	}
	return gone, o.bringBack(ctx, after, gone)
}

// bringBack applies those of the items that were created while they were being removed.
func (o *orphans[T]) bringBack(ctx context.Context, after string, ids []string) error {
	created, err := o.source.find(ctx, after, ids)
	if err != nil || len(created) == 0 {
		return err
	}
	var changes []cqrsfeed.FeedChange[T]
	for _, item := range created {
		// One that can never be applied is the projector's to set aside.
		if change, err := o.source.change(item); err == nil {
			changes = append(changes, change)
		}
	}
	var updated []cqrsfeed.FeedUpdated
	err = try(ctx, o.attempts, func() (err error) {
		updated, err = o.store.Apply(ctx, changes)
		return err
	})
	if err != nil {
		return fmt.Errorf("apply %d items that came meanwhile: %w", len(changes), err)
	}
	return o.announcer.announce(ctx, updated)
}
