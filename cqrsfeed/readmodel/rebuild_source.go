package readmodel

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/feedmill/feedmill/cqrsfeed"
	"github.com/feedmill/feedmill/internal/backoff"
)

// source is the write model as Rebuild and Audit read it.
type source[T any] struct {
	repository cqrsfeed.Repository[T]
	feedsOf    func(cqrsfeed.Item[T]) []string
	attempts   int
}

// change works out the state that the read model has to have of an item. A panic of the application's
// function is the item's fault as far as the others go.
func (s source[T]) change(item cqrsfeed.Item[T]) (change cqrsfeed.FeedChange[T], err error) {
	defer func() {
		if reason := recover(); reason != nil {
			err = fmt.Errorf("%w: panic while working out the feeds of item %q: %v", cqrsfeed.ErrInvalid, item.ID, reason)
		}
	}()
	change = cqrsfeed.NewFeedChange(item, s.feedsOf)
	return change, change.Validate()
}

// scan reads up to limit items.
func (s source[T]) scan(ctx context.Context, after string, limit int) (items []cqrsfeed.Item[T], err error) {
	err = try(ctx, s.attempts, func() error {
		items, err = s.repository.Scan(ctx, after, limit)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("read the write model after item %q: %w", after, err)
	}
	return items, nil
}

// get reads one item, with ErrNotFound where there is none.
func (s source[T]) get(ctx context.Context, id string) (item cqrsfeed.Item[T], err error) {
	err = try(ctx, s.attempts, func() error {
		item, err = s.repository.Get(ctx, id)
		return err
	})
	if err != nil {
		return cqrsfeed.Item[T]{}, fmt.Errorf("read item %q of the write model: %w", id, err)
	}
	return item, nil
}

// find reads those of the items that the write model has at this moment, tombstones included. The ids are
// sorted and behind after. Get would not do: it does not tell a deleted item from one that never was.
func (s source[T]) find(ctx context.Context, after string, ids []string) (map[string]cqrsfeed.Item[T], error) {
	found := make(map[string]cqrsfeed.Item[T])
	if len(ids) == 0 {
		return found, nil
	}
	wanted := make(map[string]bool, len(ids))
	for _, id := range ids {
		wanted[id] = true
	}
	for last := ids[len(ids)-1]; after < last; {
		items, err := s.scan(ctx, after, cqrsfeed.MaxPageLimit)
		if err != nil {
			return nil, err
		}
		if len(items) == 0 {
			break
		}
		for _, item := range items {
			if wanted[item.ID] {
				found[item.ID] = item
			}
		}
		after = items[len(items)-1].ID
	}
	return found, nil
}

// Waits between attempts.
const (
	leastRetryWait = 50 * time.Millisecond
	mostRetryWait  = 2 * time.Second
)

// try repeats a step that failed, unless that is for good.
func try(ctx context.Context, attempts int, step func() error) error {
	failing := backoff.Backoff{Min: leastRetryWait, Max: mostRetryWait}
	for n := 1; ; n++ {
		err := step()
		switch {
		case err == nil || errors.Is(err, cqrsfeed.ErrInvalid) || errors.Is(err, cqrsfeed.ErrBadCursor) || errors.Is(err, cqrsfeed.ErrNotFound):
			return err
		case n >= attempts:
			return fmt.Errorf("gave up after %d attempts: %w", n, err)
		case ctx.Err() != nil || !failing.Wait(ctx):
			return errors.Join(ctx.Err(), err)
		}
	}
}
