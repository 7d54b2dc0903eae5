package readmodel

import (
	"context"
	"errors"
	"fmt"

	"github.com/feedmill/feedmill/cqrsfeed"
	"github.com/feedmill/feedmill/internal/panics"
)

// Tee is a feed store that applies to two stores and reads from one. It keeps a new store up to date with the events of the
// present one while a rebuild fills the new one.
//
// A batch is applied when both stores have it. If one fails, the batch is redelivered to both, which does no harm. The slower
// store sets the pace, and an outage of one stops both. A read model that must not wait for another needs a projector of its
// own. So does a read model with another FeedsOf, because both stores get the same feeds of an item.
//
// A Tee cannot be rebuilt or audited: do that with each store. docs/rebuild.md has the procedure.
type Tee[T any] struct {
	read, also cqrsfeed.FeedStore[T]
}

var _ cqrsfeed.FeedStore[any] = (*Tee[any])(nil)

// NewTee returns a store that reads from the first store and applies to both. Swap them to switch.
func NewTee[T any](read, also cqrsfeed.FeedStore[T]) (*Tee[T], error) {
	if read == nil || also == nil {
		return nil, fmt.Errorf("tee: %w: both stores are required", cqrsfeed.ErrInvalid)
	}
	return &Tee[T]{read: read, also: also}, nil
}

// Apply implements cqrsfeed.FeedStore. It applies to both stores concurrently, and returns the revisions of the
// store that is read from if both succeed. A panic of either store becomes one of Apply.
func (t *Tee[T]) Apply(ctx context.Context, batch []cqrsfeed.FeedChange[T]) ([]cqrsfeed.FeedUpdated, error) {
	var second error
	var raised *panics.Raised
	done := make(chan struct{})
	go func() {
		defer close(done)
		raised = panics.Catch(func() { _, second = t.also.Apply(ctx, batch) })
	}()
	updated, first := t.read.Apply(ctx, batch)
	<-done
	if raised != nil {
		panic(raised)
	}
	if err := teeErrors(first, second); err != nil {
		return nil, err
	}
	return updated, nil
}

// Recount implements cqrsfeed.FeedStore. It recounts both stores, and returns the feeds of the one that is read from,
// also if either fails.
func (t *Tee[T]) Recount(ctx context.Context) ([]cqrsfeed.FeedUpdated, error) {
	updated, first := t.read.Recount(ctx)
	_, second := t.also.Recount(ctx)
	return updated, teeErrors(first, second)
}

// Feeds implements cqrsfeed.FeedStore by the store that is read from.
func (t *Tee[T]) Feeds(ctx context.Context, after string, limit int) ([]cqrsfeed.Feed, error) {
	return t.read.Feeds(ctx, after, limit)
}

// Page implements cqrsfeed.FeedStore by the store that is read from.
func (t *Tee[T]) Page(ctx context.Context, feed, cursor string, limit int) (cqrsfeed.FeedPage[T], error) {
	return t.read.Page(ctx, feed, cursor, limit)
}

// ItemVersion implements cqrsfeed.FeedStore by the store that is read from.
func (t *Tee[T]) ItemVersion(ctx context.Context, id string) (int64, error) {
	return t.read.ItemVersion(ctx, id)
}

// teeErrors joins the errors of both stores, and says which failed.
func teeErrors(first, second error) error {
	if first != nil {
		first = fmt.Errorf("store that is read from: %w", first)
	}
	if second != nil {
		second = fmt.Errorf("second store: %w", second)
	}
	return errors.Join(first, second)
}
