package readmodel

import (
	"context"
	"fmt"
	"maps"
	"slices"

	"github.com/feedmill/feedmill/cqrsfeed"
)

// removeOrphans removes those of the ids, all between after and until, that the write model does not have, and
// returns them in order.
//
// The read model is read first, then the write model, and only what was read is removed. An item that is created
// after that may find the orphan in its place with a higher version, and is then taken for stale. The write model is
// therefore read again after the removal, and what was created meanwhile is applied.
func (m models[T]) removeOrphans(ctx context.Context, after, until string, ids []string) ([]string, error) {
	if len(ids) == 0 {
		return nil, nil
	}
	stored, err := m.storedItems(ctx, ids)
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
	for chunk := range slices.Chunk(removed, cqrsfeed.MaxPageLimit) {
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

// applyCreated applies those of the items that exist in the write model now. One that cannot be applied is left to
// the projector, which sets its event aside.
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
