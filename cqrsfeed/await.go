package cqrsfeed

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"time"
)

// ItemVersions tells how far a read model is. Every FeedStore does; a projection of one's own can.
type ItemVersions interface {
	// ItemVersion returns the highest version of the item that is in the read model, 0 when none is.
	ItemVersion(ctx context.Context, id string) (int64, error)
}

// Await looks again after pauses that begin with the first, each half as long again as the one before, up to the last.
const (
	firstAwaitPause = 2 * time.Millisecond
	lastAwaitPause  = 50 * time.Millisecond
)

// Await blocks until the writes that the tokens stand for are in the read model, whichever process puts them
// there. Bound it by ctx: a write comes late where the broker or the store is away, and never where there was none.
//
// It asks the store at once and then after growing pauses of 2 to 50 milliseconds, give or take a quarter. So it
// returns at most 63 milliseconds after the last write comes, sooner after one that comes soon, and costs the store
// some 50 small reads where it waits for two seconds, for each token.
//
// The error wraps that of ctx when ctx ended first, or the store's, which is not tried again; pending are then the
// tokens whose writes were not seen.
func Await(ctx context.Context, store ItemVersions, tokens ...Token) (pending []Token, err error) {
	pending = slices.Clone(tokens)
	for pause := firstAwaitPause; ; pause = min(pause+pause/2, lastAwaitPause) {
		if pending, err = stillPending(ctx, store, pending); err != nil || len(pending) == 0 {
			return pending, err
		}
		timer := time.NewTimer(pause*3/4 + rand.N(pause/2)) //nolint:gosec // spreading load needs no secret
		select {
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
			return pending, fmt.Errorf("await %d writes: %w", len(pending), ctx.Err())
		}
	}
}

// stillPending asks for each of the tokens once.
func stillPending(ctx context.Context, store ItemVersions, tokens []Token) ([]Token, error) {
	var pending []Token
	for i, token := range tokens {
		version, err := store.ItemVersion(ctx, token.ID)
		if err != nil {
			return append(pending, tokens[i:]...), fmt.Errorf("await version %d of item %q: %w", token.Version, token.ID, err)
		}
		if version < token.Version {
			pending = append(pending, token)
		}
	}
	return pending, nil
}
