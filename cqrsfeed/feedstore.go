package cqrsfeed

import (
	"context"
	"fmt"
)

// Limits that hold for every store.
const (
	// MaxFeedLength is the longest name of a feed, in bytes.
	MaxFeedLength = 256
	// MaxFeeds is how many feeds an item can be in. A store may keep where an item is, was and is about to be
	// in one document: of 16 MB a fourth is taken then, with the longest names, and the rest is for changes
	// that were cut off.
	MaxFeeds = 1000
	// DefaultPageLimit is how many entries a page has when the caller does not say.
	DefaultPageLimit = 50
	// MaxPageLimit bounds a page, so that no caller can ask for a feed as a whole.
	MaxPageLimit = 1000
)

// FeedStore keeps a read model of feeds: which items are in which feed, newest first, with exact counts.
//
// All methods are safe for concurrent use, by any number of processes on one database.
type FeedStore[T any] interface {
	// Apply brings the feeds up to date with a batch of item states and returns the revisions of the feeds
	// it touched, each feed once. It is idempotent and order-free: whatever is applied, repeated, late or
	// by several workers at once, in the end each item is in exactly the feeds of its highest version, a
	// deleted one in none. A call that failed or was cut off must be repeated with the same batch (which
	// redelivery does); until then an entry may be missing or left over, never for good.
	//
	// What was applied before, itself or a newer version, is answered with the feeds that it touched then, those that
	// the item left included, as far as the store knows them: nobody can tell whether they were announced. A batch may
	// be empty, and may have several states of an item, in any order. Revisions never go back, also those of feeds that
	// become empty.
	//
	// A change that can never be applied, because Validate refuses it, its body cannot be encoded, or that is
	// too large for the store, makes the call fail with ErrInvalid before anything of the batch is written.
	Apply(ctx context.Context, batch []FeedChange[T]) ([]FeedUpdated, error)

	// Feeds returns up to limit feeds that have items, in the byte order of their names, from the first
	// name greater than after. Limits are those of PageLimit.
	Feeds(ctx context.Context, after string, limit int) ([]Feed, error)

	// Page returns a page of the feed, newest item first (by CreatedAt, then by id), from the start or
	// from the cursor of the page before. A feed that nobody wrote to is empty and has revision 0.
	// It returns ErrBadCursor for a cursor that is none, and ErrInvalid for a name that ValidateFeed refuses.
	// Limits are those of PageLimit, and cursors those of EncodeCursor: a place in time, in any feed.
	Page(ctx context.Context, feed, cursor string, limit int) (FeedPage[T], error)

	// ItemVersion returns the highest version of the item that was applied, 0 when none was: whoever
	// wrote version v sees the write in the entries of the feeds as soon as ItemVersion is at least v. With a
	// store that counts apart from applying (a Recounter) the counts of the feeds may show it a moment later. It
	// returns ErrInvalid for an id that ValidateID refuses.
	ItemVersion(ctx context.Context, id string) (int64, error)
}

// Recounter is the optional power of a FeedStore that does not count within Apply.
type Recounter interface {
	// Recount brings the counts of feeds up to date that Apply left behind, because counting was too
	// expensive at the time or because the process ended in between. It returns the feeds whose count
	// became known, for their followers to be told; together with an error it returns those that became
	// known before that, which the next call does not return again. Callers announce them in either case.
	Recount(ctx context.Context) ([]FeedUpdated, error)
}

// FeedChange is a state of an item together with the feeds that it belongs to.
type FeedChange[T any] struct {
	Item Item[T]
	// Feeds is where this version of the item belongs: up to MaxFeeds names that ValidateFeed accepts. A deleted item belongs
	// nowhere, whatever is said here.
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
	// Items is never nil, so that an empty page is an empty list in JSON too.
	Items []Item[T] `json:"items"`
	// Next is the cursor of the page that follows, "" when there is none.
	Next string `json:"next"`
}

// ValidateFeed says whether name can name a feed. The error wraps ErrInvalid and says why it cannot.
func ValidateFeed(name string) error {
	return validateName("feed name", name, MaxFeedLength)
}

// Validate joins the rules that a change must keep before a store applies it.
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
