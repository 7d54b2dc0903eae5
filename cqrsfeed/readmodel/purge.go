package readmodel

import (
	"context"
	"fmt"
	"time"

	"github.com/feedmill/feedmill/cqrsfeed"
	"github.com/feedmill/feedmill/cqrsfeed/limits"
	"github.com/feedmill/feedmill/internal/config"
)

// TombstoneSource is a write model whose tombstones can be removed. The repositories of the module's stores implement it.
type TombstoneSource[T any] interface {
	Source[T]

	// RemoveTombstones removes up to MaxPageLimit items if they are deleted and were last changed before a time. It returns
	// how many it removed. Their ids can be used again.
	RemoveTombstones(ctx context.Context, before time.Time, ids ...string) (int64, error)
}

// PurgeConfig configures Purge.
type PurgeConfig[T any] struct {
	// Source is the write model. Required.
	Source TombstoneSource[T]
	// Stores are all its read models. Required.
	Stores []Store[T]
	// Before is the limit: Purge removes items that were deleted, and feeds that became empty, before this time. It must be
	// longer ago than any message can be late: in the outbox and parked, in the broker, and in a poison topic. An older
	// event that is applied after the removal restores its item. Required.
	Before time.Time
	// BatchSize is how many items are read at once. Defaults to MaxPageLimit, which is also the most.
	BatchSize int
}

func (c *PurgeConfig[T]) setDefaults() {
	config.Default(&c.BatchSize, limits.MaxPageLimit)
}

// Validate joins all problems of the configuration.
func (c PurgeConfig[T]) Validate() error {
	var problems config.Problems
	problems.Require(c.Source != nil, "Source")
	problems.Require(len(c.Stores) > 0, "Stores")
	problems.Require(!c.Before.IsZero(), "Before")
	config.Bounds(&problems, "BatchSize", c.BatchSize, "MaxPageLimit", limits.MaxPageLimit)
	return problems.Join()
}

// PurgeSummary counts what a purge removed.
type PurgeSummary struct {
	// Items is how many tombstones were removed. Late is how many were left because a read model has another version.
	Items, Late int64
	// Feeds is how many empty feeds were removed, of all stores together.
	Feeds int64
}

// Purge removes the tombstones of items that were deleted long ago, from the read models first and then from the write model,
// and the feeds that have been empty for as long. Events may flow meanwhile. It may be stopped and repeated.
//
// Purge skips an item of which a read model has another version: its event is late, or an Audit is needed. It removes an item
// that a read model does not know, as after a Purge that was stopped. The id of a removed item can be used again. The revisions
// of a removed feed begin at 1 again.
func Purge[T any](ctx context.Context, config PurgeConfig[T]) (PurgeSummary, error) {
	config.setDefaults()
	if err := config.Validate(); err != nil {
		return PurgeSummary{}, fmt.Errorf("purge config: %w", err)
	}
	p := &purge[T]{config: config, models: models[T]{source: config.Source}}
	for after := ""; ; {
		items, err := p.scan(ctx, after, config.BatchSize)
		if err == nil && len(items) > 0 {
			after = items[len(items)-1].ID
			err = p.removeTombstones(ctx, items)
		}
		if err != nil {
			return p.summary, fmt.Errorf("purge: %w", err)
		}
		if len(items) == 0 {
			break
		}
	}
	return p.summary, p.forgetFeeds(ctx)
}

type purge[T any] struct {
	models[T]

	config  PurgeConfig[T]
	summary PurgeSummary
}

// removeTombstones removes the old tombstones among the items.
func (p *purge[T]) removeTombstones(ctx context.Context, items []written[T]) error {
	versions := make(map[string]int64)
	var ids []string
	for _, item := range items {
		if item.Deleted && item.UpdatedAt.Before(p.config.Before) {
			versions[item.ID] = item.Version
			ids = append(ids, item.ID)
		}
	}
	if len(ids) == 0 {
		return nil
	}
	stored := make([]map[string]StoredItem, len(p.config.Stores))
	for i, store := range p.config.Stores {
		p.store = store
		var err error
		if stored[i], err = p.storedItems(ctx, ids, none); err != nil {
			return err
		}
		for id, item := range stored[i] {
			if item.Version != versions[id] || len(item.Feeds) > 0 {
				delete(versions, id)
			}
		}
	}
	p.summary.Late += int64(len(ids) - len(versions))
	for i, store := range p.config.Stores {
		var seen []StoredItem
		for id := range versions {
			if item, known := stored[i][id]; known {
				seen = append(seen, item)
			}
		}
		if err := p.write(ctx, func() ([]cqrsfeed.FeedUpdated, error) { return store.Forget(ctx, seen) }); err != nil {
			return fmt.Errorf("forget %d items: %w", len(seen), err)
		}
	}
	ids = ids[:0]
	for id := range versions {
		ids = append(ids, id)
	}
	return p.try(ctx, func() error {
		removed, err := p.config.Source.RemoveTombstones(ctx, p.config.Before, ids...)
		p.summary.Items += removed
		return err
	})
}

func (p *purge[T]) forgetFeeds(ctx context.Context) error {
	for _, store := range p.config.Stores {
		err := p.try(ctx, func() error {
			forgotten, err := store.ForgetFeeds(ctx, p.config.Before)
			p.summary.Feeds += forgotten
			return err
		})
		if err != nil {
			return fmt.Errorf("purge: forget empty feeds: %w", err)
		}
	}
	return nil
}
