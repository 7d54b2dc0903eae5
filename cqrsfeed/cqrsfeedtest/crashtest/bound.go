package crashtest

import (
	"context"

	"github.com/feedmill/feedmill/cqrsfeed"
	"github.com/feedmill/feedmill/cqrsfeed/cqrsfeedtest/internal/model"
)

// boundStore ends calls when their process stops: drivers would go on trying for a while.
type boundStore struct {
	cqrsfeed.FeedStore[model.Body]

	process *Process
}

// bind returns a context that also ends when the process stops.
func bind(ctx context.Context, process *Process) (context.Context, func()) {
	ctx, cancel := context.WithCancel(ctx)
	unbind := context.AfterFunc(process.ctx, cancel)
	return ctx, func() {
		unbind()
		cancel()
	}
}

// Apply implements cqrsfeed.FeedStore.
func (s boundStore) Apply(ctx context.Context, batch []model.Change) ([]cqrsfeed.FeedUpdated, error) {
	ctx, release := bind(ctx, s.process)
	defer release()
	return s.FeedStore.Apply(ctx, batch)
}

// Recount implements cqrsfeed.FeedStore.
func (s boundStore) Recount(ctx context.Context) ([]cqrsfeed.FeedUpdated, error) {
	ctx, release := bind(ctx, s.process)
	defer release()
	return s.FeedStore.Recount(ctx)
}
