package readmodel

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"

	"github.com/feedmill/feedmill/cqrsfeed"
	"github.com/feedmill/feedmill/cqrsfeed/driver"
	"github.com/feedmill/feedmill/cqrsfeed/limits"
	"github.com/feedmill/feedmill/internal/backoff"
	"github.com/feedmill/feedmill/internal/reload"
)

// models reads the write model and the read model side by side. Each step is tried several times.
type models[T any] struct {
	source    Source[T]
	store     Store[T]
	feedsOf   func(cqrsfeed.Item[T]) []string
	rule      int64             // the version of feedsOf
	publisher message.Publisher // nil to announce nothing
	topic     string
}

// section is a range of ids with the items of both models.
type section[T any] struct {
	after, until string       // the ids greater than after, up to until
	items        []written[T] // of the write model, in the order of ids
	stored       []string     // the ids in the read model, in order
}

// written is an item of the write model.
type written[T any] struct {
	cqrsfeed.Item[T]

	undecodable error // why it has no Body, or nil
}

// next reads the section after an id, with up to limit items of each model. At the end of both models it is empty.
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
	// The section ends at the last id that was read of both models.
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
	s.items = slices.DeleteFunc(s.items, func(item written[T]) bool { return item.ID > s.until })
	s.stored = slices.DeleteFunc(s.stored, func(id string) bool { return id > s.until })
	return s, nil
}

// byID returns the items of the write model.
func (s section[T]) byID() map[string]written[T] {
	items := make(map[string]written[T], len(s.items))
	for _, item := range s.items {
		items[item.ID] = item
	}
	return items
}

// scan reads the next items of the write model in the order of ids, including those that cannot be decoded.
func (m models[T]) scan(ctx context.Context, after string, limit int) (items []written[T], err error) {
	err = m.try(ctx, func() error {
		decoded, err := m.source.Scan(ctx, after, limit)
		undecodable := driver.Undecodable(err)
		if err != nil && len(undecodable) == 0 {
			return err
		}
		items = make([]written[T], 0, len(decoded)+len(undecodable))
		for _, item := range decoded {
			items = append(items, written[T]{Item: item})
		}
		for _, cause := range undecodable {
			items = append(items, withoutBody[T](cause))
		}
		slices.SortFunc(items, func(a, b written[T]) int { return strings.Compare(a.ID, b.ID) })
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("read the write model after item %q: %w", after, err)
	}
	return items, nil
}

func withoutBody[T any](e *cqrsfeed.UndecodableError) written[T] {
	return written[T]{undecodable: e, Item: cqrsfeed.Item[T]{
		ID: e.Item.ID, Version: e.Item.Version, CreatedAt: e.Item.CreatedAt, UpdatedAt: e.Item.UpdatedAt,
		Deleted: e.Item.Deleted, Encoded: e.Item.Encoded,
	}}
}

// itemsNow reads the current items of the write model in the range of a section.
func (m models[T]) itemsNow(ctx context.Context, after, until string) (map[string]written[T], error) {
	now := make(map[string]written[T])
	for after < until {
		items, err := m.scan(ctx, after, limits.MaxPageLimit)
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

// unknownAtOnce is how many items of the read model are read at once that the write model does not have. Nothing else
// bounds how large their bodies are together.
const unknownAtOnce = 20

// storedItems reads items of the read model. Of those that are not known in the write model it keeps no bodies.
func (m models[T]) storedItems(ctx context.Context, ids []string, known func(id string) bool) (map[string]StoredItem, error) {
	stored := make(map[string]StoredItem, len(ids))
	var unknown []string
	ids = slices.DeleteFunc(slices.Clone(ids), func(id string) bool {
		if known(id) {
			return false
		}
		unknown = append(unknown, id)
		return true
	})
	if err := m.readStored(ctx, ids, limits.MaxPageLimit, func(item StoredItem) { stored[item.ID] = item }); err != nil {
		return nil, err
	}
	err := m.readStored(ctx, unknown, unknownAtOnce, func(item StoredItem) {
		item.Body = nil
		stored[item.ID] = item
	})
	return stored, err
}

// readStored reads items of the read model, some at a time.
func (m models[T]) readStored(ctx context.Context, ids []string, atOnce int, read func(StoredItem)) error {
	for chunk := range slices.Chunk(ids, atOnce) {
		err := m.try(ctx, func() error {
			items, err := m.store.StoredItems(ctx, chunk)
			for _, item := range items {
				read(item)
			}
			return err
		})
		if err != nil {
			return fmt.Errorf("read %d items of the read model from %q on: %w", len(chunk), chunk[0], err)
		}
	}
	return nil
}

// all and none say which items are known.
func all(string) bool  { return true }
func none(string) bool { return false }

// change returns the state that the read model must have of an item, or why there is none.
func (m models[T]) change(item written[T]) (cqrsfeed.FeedChange[T], error) {
	if item.undecodable != nil {
		return cqrsfeed.FeedChange[T]{}, item.undecodable
	}
	change, err := cqrsfeed.NewFeedChange(item.Item, m.feedsOf)
	change.Rule = m.rule
	return change, err
}

// withhold returns the state for an item that cannot be applied. If its body cannot be decoded, the state has the lowest rule
// and so replaces only older versions: another release may have applied this version.
func (m models[T]) withhold(item written[T]) cqrsfeed.FeedChange[T] {
	change := cqrsfeed.Withhold(item.Item)
	if item.undecodable == nil {
		change.Rule = m.rule
	}
	return change
}

// write runs a step that changes the read model, and announces the feeds that the step returns.
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
		msg, err := event.Message()
		if err != nil {
			return err
		}
		if event.Feed == "" {
			reload.Mark(msg)
		}
		messages[i] = msg
	}
	if err := m.try(ctx, func() error { return m.publisher.Publish(m.topic, messages...) }); err != nil {
		return fmt.Errorf("announce %d feeds on topic %q: %w", len(messages), m.topic, err)
	}
	return nil
}

const (
	// attempts is how often a failing step is tried. With the waits in between that takes some seconds.
	attempts       = 8
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
		case n >= attempts:
			return fmt.Errorf("gave up after %d attempts: %w", n, err)
		case ctx.Err() != nil || !failing.Wait(ctx):
			return errors.Join(ctx.Err(), err)
		}
	}
}
