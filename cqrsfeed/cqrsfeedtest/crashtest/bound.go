package crashtest

import (
	"context"

	"github.com/feedmill/feedmill/cqrsfeed"
	"github.com/feedmill/feedmill/cqrsfeed/cqrsfeedtest/internal/feedmodel"
)

// boundStore ends calls when their process stops: drivers would go on trying for a while.
type boundStore struct {
	cqrsfeed.FeedStore[feedmodel.Body]

	process *Process
}

func (s boundStore) bind(ctx context.Context) (context.Context, func()) {
	ctx, cancel := context.WithCancel(ctx)
	unbind := context.AfterFunc(s.process.ctx, cancel)
	return ctx, func() {
		unbind()
		cancel()
	}
}

// Apply implements cqrsfeed.FeedStore.
func (s boundStore) Apply(ctx context.Context, batch []feedmodel.Change) ([]cqrsfeed.FeedUpdated, error) {
	ctx, release := s.bind(ctx)
	defer release()
	return s.FeedStore.Apply(ctx, batch)
}

// Recount implements cqrsfeed.FeedStore.
func (s boundStore) Recount(ctx context.Context) ([]cqrsfeed.FeedUpdated, error) {
	ctx, release := s.bind(ctx)
	defer release()
	return s.FeedStore.Recount(ctx)
}
