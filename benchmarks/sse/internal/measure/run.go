//go:build linux

package measure

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
)

// Results is what was measured in all rounds.
type Results struct {
	Traffic   map[Case]Rounds[Traffic]
	Stall     Rounds[Stall]
	Reconnect Rounds[Reconnect]
	Memory    Rounds[Memory]
}

// Run measures everything. In each round the contestants take turns, so that a disturbance of the machine affects all of
// them. A contestant that fails does not end the run: its errors are returned, joined, with the results of the others.
// The end of ctx ends the run.
func (b *Bench) Run(ctx context.Context, log *slog.Logger) (Results, error) {
	r := Results{
		Traffic: map[Case]Rounds[Traffic]{}, Stall: Rounds[Stall]{}, Reconnect: Rounds[Reconnect]{}, Memory: Rounds[Memory]{},
	}
	var errs []error
	for round := 1; round <= b.config.Rounds && ctx.Err() == nil; round++ {
		log := log.With("round", round)
		for _, c := range b.config.cases() {
			if r.Traffic[c] == nil {
				r.Traffic[c] = Rounds[Traffic]{}
			}
			errs = append(errs, take(ctx, b.config.Contestants, log.With("measure", "traffic", "case", c), r.Traffic[c],
				func(name string) (Traffic, error) { return b.Traffic(ctx, name, c) }))
		}
		if b.config.Stalled > 0 {
			errs = append(errs, take(ctx, b.config.whole(), log.With("measure", "stall"), r.Stall,
				func(name string) (Stall, error) { return b.Stall(ctx, name) }))
		}
		if b.config.Reconnecting > 0 {
			errs = append(errs, take(ctx, b.config.whole(), log.With("measure", "reconnect"), r.Reconnect,
				func(name string) (Reconnect, error) { return b.Reconnect(ctx, name) }))
		}
		if b.config.Idle > 0 {
			errs = append(errs, take(ctx, b.config.Contestants, log.With("measure", "memory"), r.Memory,
				func(name string) (Memory, error) { return b.Memory(ctx, name, b.config.Idle) }))
		}
	}

	return r, errors.Join(append(errs, ctx.Err())...)
}

// take measures every contestant once.
func take[T any](
	ctx context.Context, names []string, log *slog.Logger, rounds Rounds[T], measure func(name string) (T, error),
) error {
	var errs []error
	for _, name := range names {
		if ctx.Err() != nil {
			break
		}
		result, err := measure(name)
		if err != nil {
			errs = append(errs, fmt.Errorf("measure %s: %w", name, err))
			rounds[name] = append(rounds[name], nil)
			log.ErrorContext(ctx, "Failed", "contestant", name, "error", err)

			continue
		}
		rounds[name] = append(rounds[name], &result)
		log.InfoContext(ctx, "Measured", "contestant", name, "result", result)
	}

	return errors.Join(errs...)
}
