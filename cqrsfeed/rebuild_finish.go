package cqrsfeed

import (
	"context"
	"fmt"
	"time"
)

// removeStrays removes entries that no record accounts for, which the sweep by items cannot see.
func (r *rebuild[T]) removeStrays(ctx context.Context) error {
	if r.orphans == nil || r.fresh {
		return nil
	}
	config := AuditConfig[T]{
		Repository: r.config.Repository, Store: r.config.Store, FeedsOf: r.config.FeedsOf,
		Heal: true, Attempts: r.config.Attempts,
	}
	config.setDefaults()
	a, err := newAudit(config)
	if err != nil {
		return err
	}
	a.announcer = r.announcer
	err = a.checkStrays(ctx)
	r.strays = a.summary.Healed
	if err != nil {
		return fmt.Errorf("remove stray entries: %w", err)
	}
	return nil
}

// recount lets the store count what the batches left to be counted. Feeds that change meanwhile may be
// left: whoever changes them has them counted.
func (r *rebuild[T]) recount(ctx context.Context) error {
	recounter, ok := r.config.Store.(Recounter)
	if !ok {
		return nil
	}
	for left := true; left; {
		var updated []FeedUpdated
		err := try(ctx, r.config.Attempts, func() (err error) {
			updated, err = recounter.Recount(ctx)
			return err
		})
		if err != nil {
			return fmt.Errorf("recount feeds: %w", err)
		}
		if err := r.announcer.announce(ctx, updated); err != nil {
			return err
		}
		left = len(updated) >= MaxPageLimit
	}
	return nil
}

func (r *rebuild[T]) progress() RebuildProgress {
	p := RebuildProgress{
		Items: r.point.Items, Resumed: r.resumed, Total: r.total, After: r.point.After, Elapsed: time.Since(r.began),
	}
	if p.Elapsed > 0 {
		p.Rate = float64(p.Items-p.Resumed) / p.Elapsed.Seconds()
	}
	return p
}

func (r *rebuild[T]) summary() RebuildSummary {
	return RebuildSummary{
		RebuildProgress: r.progress(),
		Refused:         r.refused.Load(), Orphans: r.orphaned.Load(), Strays: r.strays,
	}
}
