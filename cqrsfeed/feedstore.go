package cqrsfeed

import (
	"context"
	"fmt"
)

// Limits that hold for every store.
const (
	// MaxFeedLength is the longest name of a feed, in bytes.
	MaxFeedLength = 256
	// MaxFeeds is how many feeds an item can be in.
	MaxFeeds = 1000
	// DefaultPageLimit is the number of entries of a page for which the caller gives no limit.
	DefaultPageLimit = 50
	// MaxPageLimit is the largest page.
	MaxPageLimit = 1000
)

// FeedStore keeps a read model of feeds: which items are in which feed, newest first, with exact counts.
//
// All methods are safe for concurrent use, by any number of processes on one database.
type FeedStore[T any] interface {
	// Apply brings the feeds up to date with a batch of item states. It returns the feeds that changed with their
	// revisions, each feed once. It is idempotent and order-free: after any repetition, in any order, by several
	// workers at once, each item is in exactly the feeds of its highest version, and a deleted item is in none.
	// A call that failed must be repeated with the same batch, as redelivery does. Until then an entry may be missing
	// or left over.
	//
	// For a state that was applied before, Apply also returns the feeds that changed then, including those that the
	// item left, because the caller may not have announced them. It may raise their revisions. A feed that never had
	// an item need not be returned. Revisions never decrease, also those of feeds that become empty.
	//
	// A batch may be empty, and it may have several states of an item in any order. Apply returns ErrInvalid, and
	// writes nothing, if Validate refuses a change, or its body cannot be encoded or is too large for the store.
	Apply(ctx context.Context, batch []FeedChange[T]) ([]FeedUpdated, error)

	// Recount updates the counts that Apply deferred, and returns the feeds that it counted. Together with an error it
	// returns the feeds that it had finished; the next call does not return them again, so callers announce them
	// in either case. If nothing is applied meanwhile, all counts are exact when it returns none. A store whose
	// Apply updates the counts always returns none.
	Recount(ctx context.Context) ([]FeedUpdated, error)

	// Feeds returns up to limit feeds that have items, in the byte order of their names, from the first
	// name greater than after. A limit of 0 or less is DefaultPageLimit; MaxPageLimit is the most.
	Feeds(ctx context.Context, after string, limit int) ([]Feed, error)

	// Page returns a page of the feed, newest item first (by CreatedAt, then by ID), from the start or
	// from the cursor of the page before. An unknown feed is empty and has revision 0.
	// It returns ErrBadCursor for an invalid cursor, and ErrInvalid for a name that ValidateFeed refuses.
	// Limits are those of Feeds. A cursor is a position in time; it can be used with any feed.
	Page(ctx context.Context, feed, cursor string, limit int) (FeedPage[T], error)

	// ItemVersion returns the highest version of the item that was applied, or 0. Pages show a version as soon as
	// ItemVersion returns it; the counts of feeds may follow later, by Recount.
	// It returns ErrInvalid for an id that ValidateID refuses.
	ItemVersion(ctx context.Context, id string) (int64, error)
}

// FeedChange is a state of an item together with the feeds that it belongs to.
type FeedChange[T any] struct {
	Item Item[T]
	// Feeds are the feeds of this version of the item: up to MaxFeeds names that ValidateFeed accepts. They are
	// ignored for a deleted item.
	Feeds []string
}

// Feed is a feed's name, size and revision.
type Feed struct {
	Name string `json:"name"`
	// Count is the number of items in the feed.
	Count int64 `json:"count"`
	// Revision grows with every change of the feed.
	Revision int64 `json:"revision"`
}

// FeedPage is a part of a feed.
type FeedPage[T any] struct {
	Feed Feed `json:"feed"`
	// Items is never nil, so that an empty page is an empty list in JSON.
	Items []Item[T] `json:"items"`
	// Next is the cursor of the page that follows, "" when there is none.
	Next string `json:"next"`
}

// ValidateFeed reports whether name can name a feed: 1 to MaxFeedLength bytes of valid UTF-8 without control
// characters. The error wraps ErrInvalid and says what is wrong.
func ValidateFeed(name string) error {
	return validateName("feed name", name, MaxFeedLength)
}

// Validate returns an error that wraps ErrInvalid if a store must not apply the change.
func (c FeedChange[T]) Validate() error {
	if err := ValidateID(c.Item.ID); err != nil {
		return err
	}
	if c.Item.Version < 1 {
		return fmt.Errorf("%w: version %d of item %q is not positive", ErrInvalid, c.Item.Version, c.Item.ID)
	}
	if len(c.Feeds) > MaxFeeds {
		return fmt.Errorf("%w: item %q is in %d feeds, at most %d are allowed", ErrInvalid, c.Item.ID, len(c.Feeds), MaxFeeds)
	}
	for _, feed := range c.Feeds {
		if err := ValidateFeed(feed); err != nil {
			return fmt.Errorf("feeds of item %q: %w", c.Item.ID, err)
		}
	}
	return nil
}
