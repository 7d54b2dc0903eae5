package cqrsfeed

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/ThreeDotsLabs/watermill/message"

	"github.com/feedmill/feedmill/internal/config"
)

// TagFeedsConfig configures a TagFeeds.
type TagFeedsConfig[T any] struct {
	// Store keeps the feeds. Required.
	Store FeedStore[T]
	// FeedsOf returns the names of the feeds that an item belongs to: its hashtags, its author, "all", anything. It
	// is not called for deleted items. It must return the same feeds for the same item. Required.
	FeedsOf func(Item[T]) []string
	// Decode returns the item of a message, for events of the application's own shape.
	// Defaults to DecodeItem, which decodes the item events of this package.
	Decode func(*message.Message) (Item[T], error)
}

// Validate joins what is wrong with the configuration.
func (c TagFeedsConfig[T]) Validate() error {
	var p config.Problems
	p.Require(c.Store != nil, "Store")
	p.Require(c.FeedsOf != nil, "FeedsOf")
	return p.Join()
}

// TagFeeds is a projection of items into feeds. Each item is in the feeds that FeedsOf returns for its newest version, by the
// time of its creation.
// Its updates are a FeedUpdated for every feed that changed.
type TagFeeds[T any] struct {
	config TagFeedsConfig[T]
}

// NewTagFeeds returns a projection, or an error if the configuration is not valid.
func NewTagFeeds[T any](c TagFeedsConfig[T]) (*TagFeeds[T], error) {
	if c.Decode == nil {
		c.Decode = DecodeItem[T]
	}
	if err := c.Validate(); err != nil {
		return nil, fmt.Errorf("tag feeds config: %w", err)
	}
	return &TagFeeds[T]{config: c}, nil
}

// Apply implements projector.Projection. It refuses a message that cannot be decoded, whose item has an invalid feed
// name, or whose change the store refuses as ErrInvalid.
func (f *TagFeeds[T]) Apply(ctx context.Context, batch []*message.Message) ([]*message.Message, error) {
	changes := make([]FeedChange[T], 0, len(batch))
	var refused []error
	for _, msg := range batch {
		change, err := f.change(msg)
		if err != nil {
			refused = append(refused, &RefusedError{Message: msg, Reason: err})
			continue
		}
		changes = append(changes, change)
	}
	if len(refused) > 0 {
		return nil, errors.Join(refused...)
	}
	// The store is given all versions of an item: an earlier delivery of an older one may have been cut off.
	updated, err := f.config.Store.Apply(ctx, changes)
	if errors.Is(err, ErrInvalid) && len(changes) > 0 {
		return nil, f.isolate(ctx, batch, changes, err)
	}
	if err != nil {
		return nil, fmt.Errorf("apply %d item changes to feeds: %w", len(changes), err)
	}
	return feedUpdates(updated)
}

// isolate applies each change alone, to find those that the store refuses for good. The others come again, so that
// they are announced.
func (f *TagFeeds[T]) isolate(ctx context.Context, batch []*message.Message, changes []FeedChange[T], cause error) error {
	var refused []error
	for i, change := range changes {
		_, err := f.config.Store.Apply(ctx, []FeedChange[T]{change})
		switch {
		case errors.Is(err, ErrInvalid):
			refused = append(refused, &RefusedError{Message: batch[i], Reason: err})
		case err != nil:
			return fmt.Errorf("apply change of item %q to feeds: %w", change.Item.ID, err)
		}
	}
	if len(refused) == 0 {
		return fmt.Errorf("apply %d item changes to feeds: %w", len(changes), cause)
	}
	return errors.Join(refused...)
}

// Sweep implements projector.Projection. It lets the store finish its counts. Feeds that were counted before the store
// failed are returned with the error.
func (f *TagFeeds[T]) Sweep(ctx context.Context) ([]*message.Message, error) {
	updated, err := f.config.Store.Recount(ctx)
	if err != nil {
		err = fmt.Errorf("recount feeds: %w", err)
	}
	updates, unencodable := feedUpdates(updated)
	return updates, errors.Join(err, unencodable)
}

// change decodes a message. A panic of the application's functions is an error of the message, so that the others can
// be applied.
func (f *TagFeeds[T]) change(msg *message.Message) (_ FeedChange[T], err error) {
	defer func() {
		if reason := recover(); reason != nil {
			err = fmt.Errorf("decode message: panic: %v", reason)
		}
	}()
	item, err := f.config.Decode(msg)
	if err != nil {
		return FeedChange[T]{}, err
	}
	change := NewFeedChange(item, f.config.FeedsOf)
	return change, change.Validate()
}

// NewFeedChange returns the state of an item with the feeds that feedsOf returns for it, each once. A deleted item has
// none.
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
