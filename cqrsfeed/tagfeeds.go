package cqrsfeed

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/ThreeDotsLabs/watermill/message"
)

// TagFeedsConfig says how items become entries of feeds.
type TagFeedsConfig[T any] struct {
	// Store keeps the feeds. Required.
	Store FeedStore[T]
	// FeedsOf names the feeds that an item belongs to: its hashtags, its author, "all", anything. It is
	// not asked about deleted items. Equal items must give equal feeds. Required.
	FeedsOf func(Item[T]) []string
	// Decode reads an item out of a message, for events of the application's own shape.
	// Defaults to DecodeItem, which reads this package's item events.
	Decode func(*message.Message) (Item[T], error)
}

// Validate joins what is wrong with the configuration.
func (c TagFeedsConfig[T]) Validate() error {
	var problems []error
	if c.Store == nil {
		problems = append(problems, errors.New("no Store"))
	}
	if c.FeedsOf == nil {
		problems = append(problems, errors.New("no FeedsOf"))
	}
	return errors.Join(problems...)
}

// TagFeeds is the projection of items into feeds: each item is in the feeds that FeedsOf names for its
// newest version. For every feed that changed it yields a FeedUpdated.
type TagFeeds[T any] struct {
	config TagFeedsConfig[T]
}

// NewTagFeeds checks the configuration.
func NewTagFeeds[T any](config TagFeedsConfig[T]) (*TagFeeds[T], error) {
	if config.Decode == nil {
		config.Decode = DecodeItem[T]
	}
	if err := config.Validate(); err != nil {
		return nil, fmt.Errorf("tag feeds config: %w", err)
	}
	return &TagFeeds[T]{config: config}, nil
}

// Apply implements Projection. A message that does not decode, whose item names an impossible feed, or whose
// change the store refuses as ErrInvalid, is poison.
func (f *TagFeeds[T]) Apply(ctx context.Context, batch []*message.Message) ([]*message.Message, error) {
	changes := make([]FeedChange[T], 0, len(batch))
	var poison []error
	for _, msg := range batch {
		change, err := f.change(msg)
		if err != nil {
			poison = append(poison, &RefusedError{Message: msg, Reason: err})
			continue
		}
		changes = append(changes, change)
	}
	if len(poison) > 0 {
		return nil, errors.Join(poison...)
	}
	// All versions go on to the store, also of one item: an older one may have to clear away what an
	// earlier delivery of it left when it was cut off.
	updated, err := f.config.Store.Apply(ctx, changes)
	if errors.Is(err, ErrInvalid) && len(changes) > 0 {
		return nil, f.isolate(ctx, batch, changes, err)
	}
	if err != nil {
		return nil, fmt.Errorf("apply %d item changes to feeds: %w", len(changes), err)
	}
	return feedUpdates(updated)
}

// isolate finds the changes that the store refuses for good, by applying each alone: without that, one of
// them would hold up its whole batch for ever. Those that are not refused are applied by that, and come
// again to be announced.
func (f *TagFeeds[T]) isolate(ctx context.Context, batch []*message.Message, changes []FeedChange[T], refused error) error {
	var poison []error
	for i, change := range changes {
		_, err := f.config.Store.Apply(ctx, []FeedChange[T]{change})
		switch {
		case errors.Is(err, ErrInvalid):
			poison = append(poison, &RefusedError{Message: batch[i], Reason: err})
		case err != nil:
			return fmt.Errorf("apply change of item %q to feeds: %w", change.Item.ID, err)
		}
	}
	if len(poison) == 0 {
		return fmt.Errorf("apply %d item changes to feeds: %w", len(changes), refused)
	}
	return errors.Join(poison...)
}

// Sweep implements Sweeper: it lets the store finish its counts. What the store counted before it failed is
// returned with the error.
func (f *TagFeeds[T]) Sweep(ctx context.Context) ([]*message.Message, error) {
	store, ok := f.config.Store.(Recounter)
	if !ok {
		return nil, nil
	}
	updated, err := store.Recount(ctx)
	if err != nil {
		err = fmt.Errorf("recount feeds: %w", err)
	}
	updates, unencodable := feedUpdates(updated)
	return updates, errors.Join(err, unencodable)
}

// change reads a message. A panic of the application's functions is the message's fault as far as this
// batch goes: the others can still be applied.
func (f *TagFeeds[T]) change(msg *message.Message) (_ FeedChange[T], err error) {
	defer func() {
		if reason := recover(); reason != nil {
			err = fmt.Errorf("panic while reading the message: %v", reason)
		}
	}()
	item, err := f.config.Decode(msg)
	if err != nil {
		return FeedChange[T]{}, err
	}
	change := NewFeedChange(item, f.config.FeedsOf)
	return change, change.Validate()
}

// NewFeedChange returns the state of an item with the feeds that feedsOf names for it, each once. A deleted item has none.
func NewFeedChange[T any](item Item[T], feedsOf func(Item[T]) []string) FeedChange[T] {
	change := FeedChange[T]{Item: item}
	if !item.Deleted {
		change.Feeds = slices.Compact(slices.Sorted(slices.Values(feedsOf(item))))
	}
	return change
}

func feedUpdates(updated []FeedUpdated) ([]*message.Message, error) {
	messages := make([]*message.Message, 0, len(updated))
	for _, event := range updated {
		msg, err := NewMessage(FeedUpdatedName, event)
		if err != nil {
			return nil, err
		}
		messages = append(messages, msg)
	}
	return messages, nil
}
