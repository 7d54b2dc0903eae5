package readmodel

import (
	"context"
	"fmt"
	"maps"
	"slices"

	"github.com/feedmill/feedmill/cqrsfeed"
	"github.com/feedmill/feedmill/cqrsfeed/limits"
)

// removeOrphans removes the ids, all between after and until, that the write model does not have. It returns them in order.
//
// It reads the read model first and then the write model, and removes only what it read. If an item with the id of an orphan is
// created after that, the orphan may have a higher version, and the read model ignores the new item. So removeOrphans reads
// the write model again after the removal and applies what was created.
func (m models[T]) removeOrphans(ctx context.Context, after, until string, ids []string) ([]string, error) {
	if len(ids) == 0 {
		return nil, nil
	}
	stored, err := m.storedItems(ctx, ids, none)
	if err != nil {
		return nil, err
	}
	known, err := m.itemsNow(ctx, after, until)
	if err != nil {
		return nil, err
	}
	for id := range known {
		delete(stored, id)
	}
	removed := slices.Sorted(maps.Keys(stored))
	for chunk := range slices.Chunk(removed, limits.MaxPageLimit) {
		seen := make([]StoredItem, 0, len(chunk))
		for _, id := range chunk {
			seen = append(seen, stored[id])
		}
		err := m.write(ctx, func() ([]cqrsfeed.FeedUpdated, error) { return m.store.Forget(ctx, seen) })
		if err != nil {
			return nil, fmt.Errorf("remove %d items from %q on: %w", len(chunk), chunk[0], err)
		}
	}
	return removed, m.applyCreated(ctx, after, until, removed)
}

// applyCreated applies the items that exist in the write model now. It leaves one that cannot be applied to the projector,
// which sets its event aside.
func (m models[T]) applyCreated(ctx context.Context, after, until string, ids []string) error {
	if len(ids) == 0 {
		return nil
	}
	now, err := m.itemsNow(ctx, after, until)
	if err != nil {
		return err
	}
	var changes []cqrsfeed.FeedChange[T]
	for _, id := range ids {
		item, exists := now[id]
		if !exists {
			continue
		}
		if change, err := m.change(item); err == nil {
			changes = append(changes, change)
		}
	}
	err = m.write(ctx, func() ([]cqrsfeed.FeedUpdated, error) { return m.store.Apply(ctx, changes) })
	if err != nil {
		return fmt.Errorf("apply %d items that were created meanwhile: %w", len(changes), err)
	}
	return nil
}
