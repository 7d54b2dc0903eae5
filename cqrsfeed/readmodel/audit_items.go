package readmodel

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/feedmill/feedmill/cqrsfeed"
	"github.com/feedmill/feedmill/cqrsfeed/limits"
)

// suspects are the items of a section that differ: by id, the version in the write model, 0 for none.
type suspects struct {
	after, until string
	versions     map[string]int64
}

// finding is an item that differs.
type finding[T any] struct {
	drift  Drift
	stored StoredItem
	// change is the state that the store must have. It is nil for an orphan, and for an item that cannot be applied but is
	// already withheld, or was applied by another release.
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
		stored, err := a.storedItems(ctx, ids, func(id string) bool { return items[id].Version > 0 })
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

// compare returns the items that differ, in the order of ids, and collects the names of feeds.
func (a *audit[T]) compare(ids []string, items map[string]written[T], stored map[string]StoredItem) []finding[T] {
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
			if item.undecodable != nil {
				f.drift.Kind = DriftUndecodable
			}
			f.change = a.withheldUnless(item, got)
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

// withheldUnless returns the change that withholds an item that cannot be applied, unless the store has it so or cannot have
// it. Of an item that cannot be decoded, the store may have this version from another release.
func (a *audit[T]) withheldUnless(item written[T], got StoredItem) *cqrsfeed.FeedChange[T] {
	change := a.withhold(item)
	switch {
	case got.Withheld && got.Version == item.Version, change.Validate() != nil,
		item.undecodable != nil && got.Version >= item.Version:
		return nil
	}
	return &change
}

// recheckItems compares the suspects again, and reports and repairs the drifts.
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
		if !a.config.Repair {
			continue
		}
		if err := a.recountMeanwhile(ctx, &a.count); err != nil {
			return err
		}
	}
	if !a.config.Repair || a.summary.Repaired == 0 {
		return nil
	}
	return a.recount(ctx, func(int) {})
}

// driftsAmong returns the suspects that still differ. It reads the read model before the write model. If the write model has
// the version of the first check after that, it had this version all the time.
func (a *audit[T]) driftsAmong(ctx context.Context, s suspects) ([]finding[T], error) {
	ids := slices.Sorted(maps.Keys(s.versions))
	stored, err := a.storedItems(ctx, ids, func(id string) bool { return s.versions[id] > 0 })
	if err != nil {
		return nil, err
	}
	items, err := a.itemsNow(ctx, s.after, s.until)
	if err != nil {
		return nil, err
	}
	created := slices.DeleteFunc(slices.Clone(ids), func(id string) bool { return s.versions[id] > 0 || items[id].Version == 0 })
	now, err := a.storedItems(ctx, created, all) // they are no drifts, and may not differ any more
	if err != nil {
		return nil, err
	}
	maps.Copy(stored, now)
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
	for i := 0; i < len(states); i += limits.MaxPageLimit {
		end := min(i+limits.MaxPageLimit, len(states))
		if err := a.restate(ctx, states[i:end], restated[i:end]); err != nil {
			return err
		}
	}
	return nil
}

// restate makes the store hold the states. If the store refuses them, restate restates each alone and withholds those that it
// refuses.
func (a *audit[T]) restate(ctx context.Context, states []Restatement[T], drifts []*Drift) error {
	err := a.write(ctx, func() ([]cqrsfeed.FeedUpdated, error) { return a.store.Restate(ctx, states) })
	switch {
	case err == nil:
		for _, drift := range drifts {
			drift.Repaired = drift.Kind != DriftRefused && drift.Kind != DriftUndecodable
		}
		return nil
	case !errors.Is(err, cqrsfeed.ErrInvalid):
		return fmt.Errorf("restate %d items from %q on: %w", len(states), states[0].Change.Item.ID, err)
	case len(states) == 1 && states[0].Change.Withheld:
		return nil
	case len(states) == 1:
		drifts[0].Kind, drifts[0].Want = DriftRefused, err.Error()
		states[0].Change = a.withhold(written[T]{Item: states[0].Change.Item})
		return a.restate(ctx, states, drifts)
	}
	for i := range states {
		if err := a.restate(ctx, states[i:i+1], drifts[i:i+1]); err != nil {
			return err
		}
	}
	return nil
}
