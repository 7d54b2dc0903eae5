package readmodel

import (
	"context"
	"errors"
	"fmt"

	"github.com/feedmill/feedmill/cqrsfeed"
	"github.com/feedmill/feedmill/internal/panics"
)

// Tee is a FeedStore that applies to two stores and reads from one: the new version of a read model is kept
// by the same events as the old one while it is filled, and takes over when it is ready.
//
// A batch counts as applied when both stores have it. If one fails nothing is acknowledged, and redelivery
// brings the batch again to both, to one of them for a second time, which does no harm. So the slower one
// sets the pace, and an outage of one holds both up; a read model that must not wait for another has a
// Projector of its own instead.
//
// Both stores get the same feeds for an item. Where the new version has another FeedsOf it needs a Projector
// of its own: docs/rebuild.md has both ways step by step.
type Tee[T any] struct {
	read, also cqrsfeed.FeedStore[T]
}

// NewTee returns a store that reads from the first one and applies to both. Swap them to switch.
func NewTee[T any](read, also cqrsfeed.FeedStore[T]) (*Tee[T], error) {
	var problems []error
	if read == nil {
		problems = append(problems, errors.New("no store to read from"))
	}
	if also == nil {
		problems = append(problems, errors.New("no second store"))
	}
	if err := errors.Join(problems...); err != nil {
		return nil, fmt.Errorf("tee: %w: %w", cqrsfeed.ErrInvalid, err)
	}
	return &Tee[T]{read: read, also: also}, nil
}

// Apply implements FeedStore: to both stores beside each other. The revisions are those of the store that is
// read from, and are returned only when both stores have the batch. A panic of either is one of Apply's, which a
// Projector recovers from.
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

// Feeds implements FeedStore by the store that is read from.
func (t *Tee[T]) Feeds(ctx context.Context, after string, limit int) ([]cqrsfeed.Feed, error) {
	return t.read.Feeds(ctx, after, limit)
}

// Page implements FeedStore by the store that is read from.
func (t *Tee[T]) Page(ctx context.Context, feed, cursor string, limit int) (cqrsfeed.FeedPage[T], error) {
	return t.read.Page(ctx, feed, cursor, limit)
}

// ItemVersion implements FeedStore by the store that is read from.
func (t *Tee[T]) ItemVersion(ctx context.Context, id string) (int64, error) {
	return t.read.ItemVersion(ctx, id)
}

// Recount implements Recounter: both stores, as far as they are Recounters, and the revisions of the one
// that is read from, also when one of the two fails.
func (t *Tee[T]) Recount(ctx context.Context) ([]cqrsfeed.FeedUpdated, error) {
	updated, first := recountStore(ctx, t.read)
	_, second := recountStore(ctx, t.also)
	return updated, teeErrors(first, second)
}

func recountStore[T any](ctx context.Context, store cqrsfeed.FeedStore[T]) ([]cqrsfeed.FeedUpdated, error) {
	if recounter, ok := store.(cqrsfeed.Recounter); ok {
		return recounter.Recount(ctx)
	}
	return nil, nil
}

// teeErrors says which store failed. A batch that one of them refuses for good is refused.
func teeErrors(first, second error) error {
	if first != nil {
		first = fmt.Errorf("store that is read from: %w", first)
	}
	if second != nil {
		second = fmt.Errorf("second store: %w", second)
	}
	return errors.Join(first, second)
}
