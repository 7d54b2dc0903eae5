package readmodel

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/feedmill/feedmill/cqrsfeed"
)

// suspects are the items of a section that differ, by id, with the version that the write model had, 0 for none.
type suspects struct {
	after, until string
	versions     map[string]int64
}

// finding is an item that differs.
type finding[T any] struct {
	drift  Drift
	stored StoredItem
	// change is what the store must have. It is nil for an orphan and for a refused item.
	change *cqrsfeed.FeedChange[T]
}

// checkItems compares all items of both models.
func (a *audit[T]) checkItems(ctx context.Context) error {
	for after := ""; ; {
		s, err := a.next(ctx, after, a.config.BatchSize)
		if err != nil || s.until == "" {
			return err
		}
		items := s.byID()
		ids := slices.Concat(s.stored, slices.Collect(maps.Keys(items)))
		slices.Sort(ids)
		ids = slices.Compact(ids)
		stored, err := a.storedItems(ctx, ids)
		if err != nil {
			return err
		}
		different := suspects{after, s.until, make(map[string]int64)}
		for _, f := range a.compare(ids, items, stored) {
			different.versions[f.drift.Item] = items[f.drift.Item].Version
		}
		if len(different.versions) > 0 {
			a.items = append(a.items, different)
		}
		a.summary.Items += int64(len(ids))
		a.progress()
		after = s.until
	}
}

// compare returns those of the items that differ, in the order of ids, and notes the names of feeds.
func (a *audit[T]) compare(ids []string, items map[string]cqrsfeed.Item[T], stored map[string]StoredItem) []finding[T] {
	var found []finding[T]
	for _, id := range ids {
		got, isStored := stored[id]
		for _, feed := range got.Feeds {
			a.feeds[feed] = true
		}
		f := finding[T]{stored: got}
		item, known := items[id]
		if !known {
			if isStored {
				f.drift = Drift{Kind: DriftOrphan, Item: id, Want: "nothing", Got: describeVersion(got)}
				found = append(found, f)
			}
			continue
		}
		change, err := a.change(item)
		if err != nil {
			f.drift = Drift{Kind: DriftRefused, Item: id, Want: err.Error(), Got: describeVersion(got)}
			found = append(found, f)
			continue
		}
		for _, feed := range change.Feeds {
			a.feeds[feed] = true
		}
		if drift, differs := driftOf(change, got); differs {
			f.drift, f.change = drift, &change
			found = append(found, f)
		}
	}
	return found
}

// recheckItems compares the suspects again, and reports and repairs those that are drifts.
func (a *audit[T]) recheckItems(ctx context.Context) error {
	for _, s := range a.items {
		drifts, err := a.driftsAmong(ctx, s)
		if err != nil {
			return err
		}
		if a.config.Repair {
			if err := a.repair(ctx, s, drifts); err != nil {
				return err
			}
		}
		for _, f := range drifts {
			a.report(f.drift)
		}
		a.progress()
	}
	if !a.config.Repair || a.summary.Repaired == 0 {
		return nil
	}
	return a.recount(ctx, func(int) {})
}

// driftsAmong returns the suspects that still differ. The read model is read before the write model: a version that the
// write model had at the first check, and has after the read, it also had at the read.
func (a *audit[T]) driftsAmong(ctx context.Context, s suspects) ([]finding[T], error) {
	ids := slices.Sorted(maps.Keys(s.versions))
	stored, err := a.storedItems(ctx, ids)
	if err != nil {
		return nil, err
	}
	items, err := a.itemsNow(ctx, s.after, s.until)
	if err != nil {
		return nil, err
	}
	found := a.compare(ids, items, stored)
	return slices.DeleteFunc(found, func(f finding[T]) bool {
		changed := items[f.drift.Item].Version != s.versions[f.drift.Item]
		if changed {
			a.summary.Unsettled++
		}
		return changed
	}), nil
}

// repair corrects drifts of a section, and marks those that it corrected.
func (a *audit[T]) repair(ctx context.Context, s suspects, drifts []finding[T]) error {
	var orphans []string
	var states []Restatement[T]
	var restated []*Drift
	for i := range drifts {
		switch f := &drifts[i]; {
		case f.drift.Kind == DriftOrphan:
			orphans = append(orphans, f.drift.Item)
		case f.change != nil:
			states = append(states, Restatement[T]{Seen: f.stored, Change: *f.change})
			restated = append(restated, &f.drift)
		}
	}
	removed, err := a.removeOrphans(ctx, s.after, s.until, orphans)
	if err != nil {
		return err
	}
	for i := range drifts {
		if d := &drifts[i].drift; d.Kind == DriftOrphan {
			_, d.Repaired = slices.BinarySearch(removed, d.Item)
		}
	}
	for i := 0; i < len(states); i += cqrsfeed.MaxPageLimit {
		end := min(i+cqrsfeed.MaxPageLimit, len(states))
		if err := a.restate(ctx, states[i:end], restated[i:end]); err != nil {
			return err
		}
	}
	return nil
}

// restate has the store hold the states. If it refuses them, each is restated alone.
func (a *audit[T]) restate(ctx context.Context, states []Restatement[T], drifts []*Drift) error {
	err := a.write(ctx, func() ([]cqrsfeed.FeedUpdated, error) { return a.store.Restate(ctx, states) })
	switch {
	case err == nil:
		for _, drift := range drifts {
			drift.Repaired = true
		}
		return nil
	case !errors.Is(err, cqrsfeed.ErrInvalid):
		return fmt.Errorf("restate %d items from %q on: %w", len(states), states[0].Change.Item.ID, err)
	case len(states) == 1:
		drifts[0].Kind, drifts[0].Want = DriftRefused, err.Error()
		return nil
	}
	for i := range states {
		if err := a.restate(ctx, states[i:i+1], drifts[i:i+1]); err != nil {
			return err
		}
	}
	return nil
}
