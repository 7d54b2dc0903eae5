package readmodel

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/feedmill/feedmill/cqrsfeed"
)

// checkStrays goes through all entries and looks whether the record of their item accounts for them. That
// the records are right is for checkItems to see.
func (a *audit[T]) checkStrays(ctx context.Context) error {
	for cursor, more := "", true; more; more = cursor != "" {
		var places []Place
		var next string
		err := a.try(ctx, func() (err error) {
			places, next, err = a.inspector.StoredPlaces(ctx, cursor, cqrsfeed.MaxPageLimit)
			return err
		})
		if err != nil {
			return fmt.Errorf("list entries from %q on: %w", cursor, err)
		}
		strays, err := a.straysAmong(ctx, places)
		if err != nil {
			return err
		}
		for _, entry := range strays {
			a.strays.later(entry, 1)
		}
		if a.seen != nil {
			if err := a.seen(ctx, places); err != nil {
				return err
			}
		}
		a.summary.Entries += int64(len(places))
		if err := a.strays.lookAtDue(ctx); err != nil {
			return err
		}
		a.progress()
		cursor = next
	}
	return a.strays.finish(ctx)
}

// straysAmong returns the entries at those of the places that no record names.
func (a *audit[T]) straysAmong(ctx context.Context, places []Place) ([]StoredEntry, error) {
	stored, err := a.storedItems(ctx, itemsOf(places))
	if err != nil {
		return nil, err
	}
	unaccounted := slices.DeleteFunc(slices.Clone(places), func(at Place) bool {
		return accountsFor(stored[at.ID], at)
	})
	entries, err := a.storedEntries(ctx, unaccounted)
	if err != nil {
		return nil, err
	}
	strays := make([]StoredEntry, 0, len(entries))
	for _, at := range unaccounted {
		if entry, exists := entries[at.at()]; exists {
			strays = append(strays, entry)
		}
	}
	return strays, nil
}

func itemsOf(places []Place) []string {
	ids := make([]string, 0, len(places))
	for _, at := range places {
		ids = append(ids, at.ID)
	}
	slices.Sort(ids)
	return slices.Compact(ids)
}

func accountsFor(item StoredItem, at Place) bool {
	return slices.ContainsFunc(item.Places, func(p Place) bool { return p.at() == at.at() })
}

// lookAtStrays is the second look at entries: those that are there as they were, and still not on record.
func (a *audit[T]) lookAtStrays(ctx context.Context, suspects []suspect[StoredEntry]) error {
	places := make([]Place, 0, len(suspects))
	before := make(map[Place]suspect[StoredEntry], len(suspects))
	for _, s := range suspects {
		places = append(places, s.seen.Place)
		before[s.seen.Place.at()] = s
	}
	entries, err := a.straysAmong(ctx, places)
	if err != nil {
		return err
	}
	drifts := make([]StoredEntry, 0, len(entries))
	for _, entry := range entries {
		s := before[entry.Place.at()]
		switch {
		case s.seen.Version == entry.Version:
			drifts = append(drifts, entry)
		case s.looks >= mostLooks:
			a.summary.Unsettled++
		default:
			a.strays.later(entry, s.looks+1)
		}
	}
	return a.settleStrays(ctx, drifts)
}

func (a *audit[T]) settleStrays(ctx context.Context, strays []StoredEntry) error {
	if len(strays) == 0 {
		return nil
	}
	if a.config.Heal {
		var updated []cqrsfeed.FeedUpdated
		err := a.try(ctx, func() (err error) {
			updated, err = a.repairer.RemoveEntries(ctx, strays)
			return err
		})
		if err != nil {
			return fmt.Errorf("remove %d stray entries: %w", len(strays), err)
		}
		if err := a.announcer.announce(ctx, updated); err != nil {
			return err
		}
		if err := a.bringBack(ctx, strays); err != nil {
			return err
		}
	}
	slices.SortFunc(strays, func(x, y StoredEntry) int { return strings.Compare(x.Place.ID, y.Place.ID) })
	for _, entry := range strays {
		a.report(Drift{
			Kind: DriftStray, Item: entry.Place.ID, Feed: entry.Place.Feed,
			Want: "no entry", Got: fmt.Sprintf("version %d", entry.Version), Healed: a.config.Heal,
		})
	}
	return nil
}

// bringBack restates items whose record came to account for an entry in the moment in which it was removed.
func (a *audit[T]) bringBack(ctx context.Context, removed []StoredEntry) error {
	places := make([]Place, 0, len(removed))
	for _, entry := range removed {
		places = append(places, entry.Place)
	}
	stored, err := a.storedItems(ctx, itemsOf(places))
	if err != nil {
		return err
	}
	entries, err := a.storedEntries(ctx, places)
	if err != nil {
		return err
	}
	for _, at := range places {
		if _, exists := entries[at.at()]; exists || !accountsFor(stored[at.ID], at) {
			continue
		}
		item, err := a.source.get(ctx, at.ID)
		if errors.Is(err, cqrsfeed.ErrNotFound) {
			continue // it is gone by now, and whoever applies that removes its entries
		}
		if err != nil {
			return err
		}
		change, err := a.source.change(item)
		if err != nil {
			continue
		}
		if err := a.restateAtOnce(ctx, []Restatement[T]{{Seen: stored[at.ID], Change: change}}, nil); err != nil {
			return err
		}
	}
	return nil
}
