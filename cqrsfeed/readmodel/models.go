package readmodel

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"

	"github.com/feedmill/feedmill/cqrsfeed"
	"github.com/feedmill/feedmill/internal/backoff"
)

// models reads the write model and the read model side by side. Each step is tried several times.
type models[T any] struct {
	source    Source[T]
	store     Store[T]
	feedsOf   func(cqrsfeed.Item[T]) []string
	publisher message.Publisher // nil to announce nothing
	topic     string
	attempts  int
}

// section is a range of ids, and what the models have in it.
type section[T any] struct {
	after, until string             // the ids greater than after, up to until
	items        []cqrsfeed.Item[T] // of the write model, in the order of ids
	stored       []string           // the ids in the read model, in order
}

// next reads the section after an id. It has up to limit items of either model, and none at the end of both.
func (m models[T]) next(ctx context.Context, after string, limit int) (section[T], error) {
	s := section[T]{after: after}
	var err error
	if s.items, err = m.scan(ctx, after, limit); err != nil {
		return s, err
	}
	err = m.try(ctx, func() (err error) {
		s.stored, err = m.store.StoredIDs(ctx, after, limit)
		return err
	})
	if err != nil {
		return s, fmt.Errorf("list the read model after item %q: %w", after, err)
	}
	// The section ends where one of the models was read no further.
	switch items, ids := len(s.items), len(s.stored); {
	case items == 0 && ids == 0:
		return s, nil
	case items == 0:
		s.until = s.stored[ids-1]
	case ids == 0:
		s.until = s.items[items-1].ID
	default:
		s.until = min(s.items[items-1].ID, s.stored[ids-1])
	}
	s.items = slices.DeleteFunc(s.items, func(item cqrsfeed.Item[T]) bool { return item.ID > s.until })
	s.stored = slices.DeleteFunc(s.stored, func(id string) bool { return id > s.until })
	return s, nil
}

// byID returns the items of the write model.
func (s section[T]) byID() map[string]cqrsfeed.Item[T] {
	items := make(map[string]cqrsfeed.Item[T], len(s.items))
	for _, item := range s.items {
		items[item.ID] = item
	}
	return items
}

func (m models[T]) scan(ctx context.Context, after string, limit int) (items []cqrsfeed.Item[T], err error) {
	err = m.try(ctx, func() error {
		items, err = m.source.Scan(ctx, after, limit)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("read the write model after item %q: %w", after, err)
	}
	return items, nil
}

// itemsNow reads the items that the write model has now in the range of a section.
func (m models[T]) itemsNow(ctx context.Context, after, until string) (map[string]cqrsfeed.Item[T], error) {
	now := make(map[string]cqrsfeed.Item[T])
	for after < until {
		items, err := m.scan(ctx, after, cqrsfeed.MaxPageLimit)
		if err != nil {
			return nil, err
		}
		if len(items) == 0 {
			break
		}
		for _, item := range items {
			if item.ID <= until {
				now[item.ID] = item
			}
		}
		after = items[len(items)-1].ID
	}
	return now, nil
}

// storedItems reads items of the read model.
func (m models[T]) storedItems(ctx context.Context, ids []string) (map[string]StoredItem, error) {
	stored := make(map[string]StoredItem, len(ids))
	for chunk := range slices.Chunk(ids, cqrsfeed.MaxPageLimit) {
		err := m.try(ctx, func() error {
			items, err := m.store.StoredItems(ctx, chunk)
			for _, item := range items {
				stored[item.ID] = item
			}
			return err
		})
		if err != nil {
			return nil, fmt.Errorf("read %d items of the read model from %q on: %w", len(chunk), chunk[0], err)
		}
	}
	return stored, nil
}

// change returns the state that the read model must have of an item. A panic of FeedsOf is an error of the item.
func (m models[T]) change(item cqrsfeed.Item[T]) (change cqrsfeed.FeedChange[T], err error) {
	defer func() {
		if reason := recover(); reason != nil {
			err = fmt.Errorf("%w: FeedsOf panics for item %q: %v", cqrsfeed.ErrInvalid, item.ID, reason)
		}
	}()
	change = cqrsfeed.NewFeedChange(item, m.feedsOf)
	return change, change.Validate()
}

// write performs a step that changes the read model, and announces the feeds that it returns.
func (m models[T]) write(ctx context.Context, step func() ([]cqrsfeed.FeedUpdated, error)) error {
	var updated []cqrsfeed.FeedUpdated
	err := m.try(ctx, func() (err error) {
		updated, err = step()
		return err
	})
	if err != nil {
		return err
	}
	return m.announce(ctx, updated)
}

func (m models[T]) announce(ctx context.Context, updated []cqrsfeed.FeedUpdated) error {
	if m.publisher == nil || len(updated) == 0 {
		return nil
	}
	messages := make([]*message.Message, len(updated))
	for i, event := range updated {
		msg, err := cqrsfeed.NewMessage(cqrsfeed.FeedUpdatedName, event)
		if err != nil {
			return err
		}
		messages[i] = msg
	}
	if err := m.try(ctx, func() error { return m.publisher.Publish(m.topic, messages...) }); err != nil {
		return fmt.Errorf("announce %d feeds on topic %q: %w", len(messages), m.topic, err)
	}
	return nil
}

// recount has the store count what it deferred. It ends when a call returns no feed that was not counted before:
// feeds that change as fast as they are counted are left to the projector.
func (m models[T]) recount(ctx context.Context, progress func(feeds int)) error {
	counted := make(map[string]bool)
	for before := -1; before < len(counted); {
		before = len(counted)
		newest := make(map[string]int64)
		err := m.try(ctx, func() error {
			updated, err := m.store.Recount(ctx)
			for _, feed := range updated { // also with an error: the next attempt does not return them again
				newest[feed.Feed] = feed.Revision
				counted[feed.Feed] = true
			}
			return err
		})
		updated := make([]cqrsfeed.FeedUpdated, 0, len(newest))
		for _, feed := range slices.Sorted(maps.Keys(newest)) {
			updated = append(updated, cqrsfeed.FeedUpdated{Feed: feed, Revision: newest[feed]})
		}
		if err != nil {
			err = fmt.Errorf("recount feeds: %w", err)
		}
		if err := errors.Join(err, m.announce(ctx, updated)); err != nil {
			return err
		}
		progress(len(counted))
	}
	return nil
}

// Waits between attempts.
const (
	leastRetryWait = 50 * time.Millisecond
	mostRetryWait  = 2 * time.Second
)

// try repeats a step that fails, unless its error is final.
func (m models[T]) try(ctx context.Context, step func() error) error {
	failing := backoff.Backoff{Min: leastRetryWait, Max: mostRetryWait}
	for n := 1; ; n++ {
		err := step()
		switch {
		case err == nil || errors.Is(err, cqrsfeed.ErrInvalid) || errors.Is(err, cqrsfeed.ErrBadCursor):
			return err
		case n >= m.attempts:
			return fmt.Errorf("gave up after %d attempts: %w", n, err)
		case ctx.Err() != nil || !failing.Wait(ctx):
			return errors.Join(ctx.Err(), err)
		}
	}
}
