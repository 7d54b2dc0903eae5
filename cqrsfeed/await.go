package cqrsfeed

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"time"
)

// ItemVersions reports how far a read model has come. Every FeedStore implements it.
type ItemVersions interface {
	// ItemVersion returns the highest version of the item that was applied to the read model, or 0.
	ItemVersion(ctx context.Context, id string) (int64, error)
}

// The pauses of Await grow by half from the first to the last.
const (
	firstAwaitPause = 2 * time.Millisecond
	lastAwaitPause  = 50 * time.Millisecond
)

// Await blocks until the writes of all tokens are in the read model. It ignores their kinds. ctx bounds the
// wait, which is long while the broker or the store is away.
//
// It polls the store at once and then after pauses of 2 to 50 milliseconds. It returns at most 63 milliseconds
// after the last write was applied. A wait of 2 seconds costs about 50 small reads for each token.
//
// The error wraps that of ctx if ctx ended first, or that of the store, which is not retried. In both cases pending
// has the tokens whose writes were not seen.
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

// stillPending polls the store once for each token.
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
