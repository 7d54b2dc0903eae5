package cqrsfeed

import (
	"cmp"
	"context"
	"fmt"
	"time"

	"github.com/feedmill/feedmill/cqrsfeed/limits"
)

// maxYear is the last year of times in JSON.
const maxYear = 9999

// FeedStore keeps a read model of feeds: which items are in which feed, newest first, with exact counts.
//
// All methods are safe for concurrent use, by any number of processes on one database.
type FeedStore[T any] interface {
	// Apply brings the feeds up to date with a batch of item states. It returns the feeds that changed with their
	// revisions, each feed once. It is idempotent and order-free: after any repetition, in any order, by several
	// workers at once, each item is in exactly the feeds of its newest state, and a deleted item is in none.
	// FeedState orders the states. After an error the caller must repeat the call with the same batch, as redelivery
	// does. Until then an entry may be missing or left over.
	//
	// For a state that was applied before, Apply also returns the feeds that changed then, including those that the
	// item left, because the caller may not have announced them. It may raise their revisions. A feed that never had
	// an item need not be returned. Revisions never decrease, also those of feeds that become empty.
	//
	// A batch may be empty, and it may have several states of an item in any order. If Validate
	// refuses a change, or Item.EncodedBody its body, Apply writes nothing and returns ErrInvalid. It stores bodies as
	// Item.EncodedBody returns them, byte for byte. Bodies of hidden states are neither checked nor stored.
	Apply(ctx context.Context, batch []FeedChange[T]) ([]FeedUpdated, error)

	// Recount updates the counts that Apply deferred, and returns the feeds that it counted. Beside an error it returns
	// the feeds that it finished. The next call does not return them again, so callers announce them in either case. A
	// call may leave a feed to the process that deferred it, and counts it later if that process does not. If nothing
	// is applied meanwhile, all counts are exact when driver.RecountCalls successive calls returned no feed. A store whose
	// Apply updates the counts always returns none.
	Recount(ctx context.Context) ([]FeedUpdated, error)

	// Feeds returns up to limit feeds that have items, in the byte order of their names, from the first
	// name greater than after. A limit of 0 or less is limits.DefaultPageLimit; limits.MaxPageLimit is the most.
	Feeds(ctx context.Context, after string, limit int) ([]Feed, error)

	// Page returns a page of the feed, newest item first (by CreatedAt, then by ID), from the start or
	// from the cursor of the page before. An unknown feed is empty and has revision 0.
	// It returns ErrBadCursor for an invalid cursor, and ErrInvalid for a name that ValidateFeed refuses.
	// Limits are those of Feeds. A page ends before its bodies exceed limits.MaxPageBytes; a larger item has a page of its own.
	// A cursor is a position in time and is valid for any feed. An item whose body cannot be decoded is in Skipped and
	// counts towards the limits. So a page with a Next may have no items.
	Page(ctx context.Context, feed, cursor string, limit int) (FeedPage[T], error)

	// ItemVersion returns the highest version of the item that was applied, or 0. Pages show a version as soon as
	// ItemVersion returns it; the counts of feeds may follow later, by Recount.
	// It returns ErrInvalid for an id that ValidateID refuses.
	ItemVersion(ctx context.Context, id string) (int64, error)
}

// UnionStore is a FeedStore with pages of several feeds at once, such as those that somebody follows. The stores of this
// module are UnionStores.
type UnionStore[T any] interface {
	FeedStore[T]

	// Union returns a page of the items that are in at least one of the feeds, each once. Order, cursor, limits and errors are
	// those of Page. The cost depends on the number of feeds and the limit, and not on the lengths of the feeds: a store reads
	// the items of the page and, of the index, between one and limit+1 entries of each feed. FeedPage.Feeds has each feed once,
	// in the byte order of names, as Page returns it, and FeedPage.Feed is empty. How many items the union has is not known.
	// More than limits.MaxUnion different names are refused with ErrInvalid. No name is an empty page.
	Union(ctx context.Context, feeds []string, cursor string, limit int) (FeedPage[T], error)
}

// FeedChange is a state of an item together with the feeds that it belongs to.
type FeedChange[T any] struct {
	Item Item[T]
	// Feeds are the feeds of this version of the item: up to limits.MaxFeeds names that ValidateFeed accepts. They are
	// ignored for a deleted item and for a withheld version.
	Feeds []string
	// Rule is the version of the rule that named the feeds, such as TagFeedsConfig.RuleVersion.
	Rule int64
	// Withheld means that this version cannot be shown: its rule of feeds or the store refuses it, or its body cannot be
	// decoded. See Withhold. A store keeps the number of a withheld version, and neither feeds nor body. A withheld
	// version is older than the same version that is not withheld, and newer than the version before. A deleted item is
	// not withheld.
	Withheld bool
}

// Hidden reports whether this state is in no feed, whatever Feeds has, and keeps no body.
func (c FeedChange[T]) Hidden() bool { return c.Item.Deleted || c.Withheld }

// State returns the place of this state among the states of the item.
func (c FeedChange[T]) State() FeedState {
	return FeedState{Version: c.Item.Version, Rule: c.Rule, Withheld: c.Withheld && !c.Item.Deleted}
}

// FeedState orders the states of an item: by version, then by rule, then withheld before shown. The zero value is before all
// others.
type FeedState struct {
	Version, Rule int64
	Withheld      bool
}

// Before reports whether the state is older than another state of the item.
func (s FeedState) Before(other FeedState) bool {
	return cmp.Or(cmp.Compare(s.Version, other.Version), cmp.Compare(s.Rule, other.Rule)) < 0 ||
		s.Version == other.Version && s.Rule == other.Rule && s.Withheld && !other.Withheld
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
	// Feeds are the feeds of a union, see UnionStore. A page of one feed has none.
	Feeds []Feed `json:"feeds,omitempty"`
	// Skipped has an UndecodableError for each item of this page whose body cannot be decoded. Feed.Count includes these
	// items. Skipped is not in the JSON.
	Skipped []*UndecodableError `json:"-"`
}

// ValidateFeed reports whether name can name a feed: 1 to limits.MaxFeedLength bytes of valid UTF-8 without control
// characters. The error wraps ErrInvalid and says what is wrong.
func ValidateFeed(name string) error {
	return validateName("feed name", name, limits.MaxFeedLength)
}

// Validate returns an error that wraps ErrInvalid if a store must not apply the change.
func (c FeedChange[T]) Validate() error {
	if err := ValidateID(c.Item.ID); err != nil {
		return err
	}
	if c.Item.Version < 1 {
		return fmt.Errorf("%w: version %d of item %q is not positive", ErrInvalid, c.Item.Version, c.Item.ID)
	}
	for _, at := range []time.Time{c.Item.CreatedAt, c.Item.UpdatedAt} {
		if year := at.UTC().Year(); year < 0 || year > maxYear {
			return fmt.Errorf("%w: a time of item %q is in the year %d, it must be from 0 to %d", ErrInvalid, c.Item.ID, year, maxYear)
		}
	}
	if c.Rule < 0 {
		return fmt.Errorf("%w: rule %d of item %q is negative", ErrInvalid, c.Rule, c.Item.ID)
	}
	if c.Hidden() {
		return nil
	}
	if len(c.Feeds) > limits.MaxFeeds {
		return fmt.Errorf("%w: item %q is in %d feeds, at most %d are allowed", ErrInvalid, c.Item.ID, len(c.Feeds), limits.MaxFeeds)
	}
	for _, feed := range c.Feeds {
		if err := ValidateFeed(feed); err != nil {
			return fmt.Errorf("feeds of item %q: %w", c.Item.ID, err)
		}
	}
	return nil
}
