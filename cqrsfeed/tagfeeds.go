package cqrsfeed

import (
	"context"
	"errors"
	"fmt"

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
	// RuleVersion is the version of FeedsOf. Raise it whenever FeedsOf puts the same item into other feeds, and then
	// rebuild the read model (docs/rebuild.md): a store applies the same version of an item again if its rule is higher.
	// Each rule needs its own number. Defaults to 0.
	RuleVersion int64
	// Decode returns the item of a message. Set it for events of your own, or to leave out fields that the feeds must not
	// have. Defaults to DecodeItem, which decodes the item events of this package.
	Decode func(*message.Message) (Item[T], error)
}

// Validate joins all problems of the configuration.
func (c TagFeedsConfig[T]) Validate() error {
	var p config.Problems
	p.Require(c.Store != nil, "Store")
	p.Require(c.FeedsOf != nil, "FeedsOf")
	config.NotNegative(&p, "RuleVersion", c.RuleVersion)
	return p.Join()
}

// TagFeeds is a projection of items into feeds. Each item is in the feeds that FeedsOf returns for its newest version. Feeds
// are sorted by creation. The updates are a FeedUpdated for each feed that changed.
type TagFeeds[T any] struct{ config TagFeedsConfig[T] }

// NewTagFeeds returns a projection, or an error if the configuration is not valid.
func NewTagFeeds[T any](c TagFeedsConfig[T]) (*TagFeeds[T], error) {
	if c.Decode == nil {
		c.Decode = DecodeItem[T]
	}
	if err := c.Validate(); err != nil {
		return nil, fmt.Errorf("tag feeds config: %w", err)
	}
	return &TagFeeds[T]{c}, nil
}

// Apply implements projector.Projection. It refuses a message that cannot be decoded, and one whose item NewFeedChange or
// the store refuses. Before it returns the refusal of an item, it withholds this version from the feeds. An earlier version
// of the item then leaves its feeds, and Apply returns their updates beside the error. If only the body cannot be decoded,
// the message fails (FailedError), since another release may decode it. The last attempt refuses it: see LeaveOut. The body
// of a tombstone may be undecodable.
func (f *TagFeeds[T]) Apply(ctx context.Context, batch []*message.Message) ([]*message.Message, error) {
	changes := make([]FeedChange[T], 0, len(batch))
	refused := refusals[T]{rule: f.config.RuleVersion}
	for _, msg := range batch {
		item, err := f.decode(msg)
		if err != nil {
			refused.addUndecoded(LeaveOut(ctx, msg, err))
			continue
		}
		change, err := NewFeedChange(item, f.config.FeedsOf)
		if err != nil {
			refused.add(msg, item, err)
			continue
		}
		change.Rule = f.config.RuleVersion
		changes = append(changes, change)
	}
	if len(refused.errs) > 0 {
		return f.withhold(ctx, refused)
	}
	// The store gets all versions of an item, because an earlier delivery of an older version may have been cut off.
	updated, err := f.config.Store.Apply(ctx, changes)
	if errors.Is(err, ErrInvalid) && len(changes) > 0 {
		return f.isolate(ctx, batch, changes, err)
	}
	if err != nil {
		return nil, fmt.Errorf("apply %d item changes to feeds: %w", len(changes), err)
	}
	return feedUpdates(updated)
}

// refusals are messages that are refused or fail, and the versions to withhold.
type refusals[T any] struct {
	rule     int64
	errs     []error
	withheld []FeedChange[T]
}

func (r *refusals[T]) add(msg *message.Message, item Item[T], reason error) {
	r.errs = append(r.errs, &RefusedError{Message: msg, Reason: reason})
	r.withhold(item, r.rule)
}

// addUndecoded adds the error that LeaveOut returned.
func (r *refusals[T]) addUndecoded(err error) {
	r.errs = append(r.errs, err)
	_, refused := errors.AsType[*RefusedError](err)
	undecodable, ok := errors.AsType[*UndecodableError](err)
	if refused && ok {
		var none T
		r.withhold(withBody(undecodable.Item, none), 0) // the lowest rule, since a release that decodes it may have applied it
	}
}

func (r *refusals[T]) withhold(item Item[T], rule int64) {
	change := Withhold(item)
	change.Rule = rule
	if change.Validate() == nil {
		r.withheld = append(r.withheld, change)
	}
}

// withhold withholds the refused versions and then returns the refusals.
func (f *TagFeeds[T]) withhold(ctx context.Context, refused refusals[T]) ([]*message.Message, error) {
	updated, err := f.config.Store.Apply(ctx, refused.withheld)
	if err != nil {
		return nil, fmt.Errorf("withhold %d items from feeds: %w", len(refused.withheld), err)
	}
	updates, err := feedUpdates(updated)
	if err != nil {
		return nil, err
	}
	return updates, errors.Join(refused.errs...)
}

// isolate applies each change alone, to find those that the store refuses for good. The others are delivered again, so that
// they are announced.
func (f *TagFeeds[T]) isolate(
	ctx context.Context, batch []*message.Message, changes []FeedChange[T], cause error,
) ([]*message.Message, error) {
	refused := refusals[T]{rule: f.config.RuleVersion}
	for i, change := range changes {
		_, err := f.config.Store.Apply(ctx, []FeedChange[T]{change})
		switch {
		case errors.Is(err, ErrInvalid):
			refused.add(batch[i], change.Item, err)
		case err != nil:
			return nil, fmt.Errorf("apply change of item %q to feeds: %w", change.Item.ID, err)
		}
	}
	if len(refused.errs) == 0 {
		return nil, fmt.Errorf("apply %d item changes to feeds: %w", len(changes), cause)
	}
	return f.withhold(ctx, refused)
}

// Sweep implements projector.Projection. It makes the store finish its counts. Beside an error it returns the updates of the
// feeds that were counted before.
func (f *TagFeeds[T]) Sweep(ctx context.Context) ([]*message.Message, error) {
	updated, err := f.config.Store.Recount(ctx)
	if err != nil {
		err = fmt.Errorf("recount feeds: %w", err)
	}
	updates, unencodable := feedUpdates(updated)
	return updates, errors.Join(err, unencodable)
}

// decode decodes a message. It returns a panic of the application's function as an error of the message, so that the others
// are applied.
func (f *TagFeeds[T]) decode(msg *message.Message) (_ Item[T], err error) {
	defer func() {
		if reason := recover(); reason != nil {
			err = fmt.Errorf("decode message: panic: %v", reason)
		}
	}()
	return f.config.Decode(msg)
}

func feedUpdates(updated []FeedUpdated) ([]*message.Message, error) {
	messages := make([]*message.Message, 0, len(updated))
	for _, event := range updated {
		msg, err := event.Message()
		if err != nil {
			return nil, err
		}
		messages = append(messages, msg)
	}
	return messages, nil
}
