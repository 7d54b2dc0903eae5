package readmodel

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/feedmill/feedmill/cqrsfeed"
)

// lookAtItems is the second look at items. It is a drift if it looks wrong still, and the write model had
// the same version at the first look, before this one and after it: what is wrong is then no event under way.
func (a *audit[T]) lookAtItems(ctx context.Context, suspects []suspect[itemSuspect]) error {
	for after, group := range groups(suspects) {
		if err := a.lookAtGroup(ctx, after, group); err != nil {
			return err
		}
	}
	return nil
}

// groups are the suspects, by id, that the write model finds behind the same id.
func groups(suspects []suspect[itemSuspect]) map[string]map[string]suspect[itemSuspect] {
	all := make(map[string]map[string]suspect[itemSuspect])
	for _, s := range suspects {
		if all[s.seen.after] == nil {
			all[s.seen.after] = make(map[string]suspect[itemSuspect])
		}
		all[s.seen.after][s.seen.id] = s
	}
	return all
}

func (a *audit[T]) lookAtGroup(ctx context.Context, after string, group map[string]suspect[itemSuspect]) error {
	ids := slices.Sorted(maps.Keys(group))
	before, err := a.source.find(ctx, after, ids)
	if err != nil {
		return err
	}
	found, err := a.compare(ctx, before, ids)
	if err != nil {
		return err
	}
	wrong := make([]string, 0, len(found))
	for _, f := range found {
		wrong = append(wrong, f.drift.Item)
	}
	now, err := a.source.find(ctx, after, wrong)
	if err != nil {
		return err
	}
	var drifts []finding[T]
	for _, f := range found {
		s := group[f.drift.Item]
		version := now[f.drift.Item].Version
		switch {
		case version == s.seen.version && version == before[f.drift.Item].Version:
			drifts = append(drifts, f)
		case s.looks >= mostLooks:
			a.summary.Unsettled++
		default:
			s.seen.version = version
			a.items.later(s.seen, s.looks+1)
		}
	}
	return a.settleItems(ctx, after, drifts)
}

// settleItems heals drifts of items, if that is asked for, and reports them.
func (a *audit[T]) settleItems(ctx context.Context, after string, drifts []finding[T]) error {
	if a.config.Heal {
		if err := a.healOrphans(ctx, after, drifts); err != nil {
			return err
		}
		if err := a.restate(ctx, drifts); err != nil {
			return err
		}
	}
	for _, f := range drifts {
		a.report(f.drift)
	}
	return nil
}

func (a *audit[T]) healOrphans(ctx context.Context, after string, drifts []finding[T]) error {
	var ids []string
	for _, f := range drifts {
		if f.drift.Kind == DriftOrphan {
			ids = append(ids, f.drift.Item)
		}
	}
	o := orphans[T]{
		source: a.source, store: a.config.Store, inspector: a.inspector, repairer: a.repairer,
		announcer: a.announcer, attempts: a.config.Attempts,
	}
	gone, err := o.remove(ctx, after, ids)
	if err != nil {
		return err
	}
	for i := range drifts {
		if _, removed := slices.BinarySearchFunc(gone, drifts[i].drift.Item, strings.Compare); removed {
			drifts[i].drift.Healed = true
		}
	}
	return nil
}

// restate has the store hold the states that it should; when it refuses that, each alone.
func (a *audit[T]) restate(ctx context.Context, drifts []finding[T]) error {
	var states []Restatement[T]
	var healed []*Drift
	for i := range drifts {
		if f := &drifts[i]; f.change != nil {
			states = append(states, Restatement[T]{Seen: f.stored, Change: *f.change})
			healed = append(healed, &f.drift)
		}
	}
	err := a.restateAtOnce(ctx, states, healed)
	if !errors.Is(err, cqrsfeed.ErrInvalid) {
		return err
	}
	for i := range states {
		err := a.restateAtOnce(ctx, states[i:i+1], healed[i:i+1])
		if errors.Is(err, cqrsfeed.ErrInvalid) {
			healed[i].Kind, healed[i].Want = DriftRefused, err.Error()
		} else if err != nil {
			return err
		}
	}
	return nil
}

func (a *audit[T]) restateAtOnce(ctx context.Context, states []Restatement[T], drifts []*Drift) error {
	if len(states) == 0 {
		return nil
	}
	var updated []cqrsfeed.FeedUpdated
	err := a.try(ctx, func() (err error) {
		updated, err = a.repairer.Restate(ctx, states)
		return err
	})
	if err != nil {
		return fmt.Errorf("restate %d items from %q on: %w", len(states), states[0].Change.Item.ID, err)
	}
	for _, drift := range drifts {
		drift.Healed = true
	}
	return a.announcer.announce(ctx, updated)
}
