package readmodel

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/feedmill/feedmill/cqrsfeed"
)

// removeStrays removes entries that no record accounts for, which the sweep by items cannot see.
func (r *rebuild[T]) removeStrays(ctx context.Context) error {
	if r.orphans == nil || r.fresh {
		return nil
	}
	config := AuditConfig[T]{
		Repository: r.config.Repository, Store: r.config.Store, FeedsOf: r.config.FeedsOf,
		Heal: true, Attempts: r.config.Attempts,
		Progress: func(s AuditSummary) {
			r.entries = s.Entries
			r.report()
		},
	}
	config.setDefaults()
	r.enter(RebuildStrays)
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

// recount lets the store count what the batches left to be counted. It ends when all that came was counted before:
// feeds that change as fast as they are counted are left to whoever changes them.
func (r *rebuild[T]) recount(ctx context.Context) error {
	recounter, ok := r.config.Store.(cqrsfeed.Recounter)
	if !ok {
		return nil
	}
	r.enter(RebuildRecounting)
	known := make(map[string]bool)
	for left := true; left; {
		// What an attempt counted before it failed no other attempt finds again.
		var updated []cqrsfeed.FeedUpdated
		var last int
		err := try(ctx, r.config.Attempts, func() error {
			counted, err := recounter.Recount(ctx)
			updated, last = append(updated, counted...), len(counted)
			return err
		})
		if err != nil {
			err = fmt.Errorf("recount feeds: %w", err)
		}
		if err := errors.Join(err, r.announcer.announce(ctx, updated)); err != nil {
			return err
		}
		r.feeds += int64(len(updated))
		r.report()
		left = false
		for _, feed := range updated {
			left = left || last >= cqrsfeed.MaxPageLimit && !known[feed.Feed]
			known[feed.Feed] = true
		}
	}
	return nil
}

// enter begins a phase.
func (r *rebuild[T]) enter(phase RebuildPhase) {
	if r.copied == 0 {
		r.copied = time.Since(r.began)
	}
	r.phase = phase
	r.report()
}

func (r *rebuild[T]) report() {
	if r.config.Progress != nil {
		r.config.Progress(r.progress())
	}
}

func (r *rebuild[T]) progress() RebuildProgress {
	p := RebuildProgress{
		Phase: r.phase,
		Items: r.point.Items, Resumed: r.resumed, Total: r.total, After: r.point.After, Elapsed: time.Since(r.began),
		Entries: r.entries, Feeds: r.feeds,
	}
	copying := p.Elapsed
	if r.copied > 0 {
		copying = r.copied
	}
	if copying > 0 {
		p.Rate = float64(p.Items-p.Resumed) / copying.Seconds()
	}
	return p
}

func (r *rebuild[T]) summary() RebuildSummary {
	return RebuildSummary{
		RebuildProgress: r.progress(),
		Refused:         r.refused.Load(), Orphans: r.orphaned.Load(), Strays: r.strays,
	}
}
