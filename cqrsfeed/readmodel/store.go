package readmodel

import (
	"context"
	"time"

	"github.com/feedmill/feedmill/cqrsfeed"
)

// Source is the write model of a read model. Every cqrsfeed.Repository is a Source. An application with tables of its own
// implements Scan.
type Source[T any] interface {
	// Scan returns up to limit items with ids greater than after, in the byte order of their ids, including tombstones. If
	// it cannot decode items, it returns an error beside the others: see cqrsfeed.Repository. It may change bodies, for
	// instance to leave out fields that the read model must not have.
	Scan(ctx context.Context, after string, limit int) ([]cqrsfeed.Item[T], error)
}

// Store is a feed store that can be rebuilt and audited.
type Store[T any] interface {
	cqrsfeed.FeedStore[T]
	Inspector
	Repairer[T]
}

// Inspector reads what a store holds. A result need not be a snapshot, so callers check a difference twice.
type Inspector interface {
	// StoredIDs returns up to limit ids of the items that the store knows, deleted ones included, in byte
	// order, from the first id greater than after. It returns none only at the end. driver.PageLimit bounds the
	// limit.
	StoredIDs(ctx context.Context, after string, limit int) ([]string, error)

	// StoredItems returns what the store holds of up to MaxPageLimit items, in any order. Unknown items are left
	// out. The result has all their bodies: rebuilds and audits ask for the items of a Scan, which is bounded in bytes, and for
	// others few at a time.
	StoredItems(ctx context.Context, ids []string) ([]StoredItem, error)

	// StoredCounts returns the recorded and the actual size of up to MaxPageLimit feeds, one for every name,
	// in any order.
	StoredCounts(ctx context.Context, feeds []string) ([]StoredCount, error)
}

// Repairer corrects items that Apply does not change, because the store already has their version. A repair is based on an
// earlier read, which the call names. It does not change an item whose state has changed since. A call that failed may have
// done a part, and may be repeated.
//
// The methods return the feeds that they changed, for the caller to announce. If Apply defers counts, Restate and Forget may
// do so too.
type Repairer[T any] interface {
	// Restate makes the store hold exactly these states, also if it has the same or a newer one. It
	// returns ErrInvalid for what Apply refuses. At most MaxPageLimit items, each once.
	Restate(ctx context.Context, states []Restatement[T]) ([]cqrsfeed.FeedUpdated, error)

	// Forget removes items as if they had never been applied: an item with that id may come again with any
	// version. At most MaxPageLimit items, each once.
	Forget(ctx context.Context, seen []StoredItem) ([]cqrsfeed.FeedUpdated, error)

	// ForgetFeeds removes the feeds that are empty and whose count last changed before a time. It returns how many it
	// removed. A removed feed is like one that never had an item.
	ForgetFeeds(ctx context.Context, before time.Time) (int64, error)

	// RecountFeeds counts up to MaxPageLimit feeds, even if their counts are not deferred.
	RecountFeeds(ctx context.Context, feeds []string) ([]cqrsfeed.FeedUpdated, error)
}

// StoredItem is what a store holds of an item, as pages show it.
type StoredItem struct {
	ID string
	// Version is what ItemVersion returns.
	Version int64
	// Rule is the rule of the change that was applied last.
	Rule int64
	// Feeds are the feeds whose pages show the item, in byte order. A deleted item is in none.
	Feeds []string
	// Withheld reports that the version is withheld from all feeds: see cqrsfeed.FeedChange.
	Withheld bool
	// CreatedAt, UpdatedAt and Body are those that pages show. They are undefined for an item that is in no feed.
	CreatedAt, UpdatedAt time.Time
	// Body is the stored JSON. It is not valid JSON if the store was damaged.
	Body []byte
	// Decoded reports that Body has only the fields that a release knew, so that Audit compares only the fields of T.
	Decoded bool
}

// State returns the place of this state among the states of the item.
func (i StoredItem) State() cqrsfeed.FeedState {
	return cqrsfeed.FeedState{Version: i.Version, Rule: i.Rule, Withheld: i.Withheld}
}

// StoredCount is the size of a feed.
type StoredCount struct {
	Feed string
	// Count and Revision are what readers see. Items is the number of items in the feed.
	Count, Revision, Items int64
	// Exact reports that the three are of one snapshot. Otherwise they can differ while the feed changes.
	Exact bool
}

// Restatement is the state that an item must have in a store.
type Restatement[T any] struct {
	// Seen is what the store held. The zero value means an unknown item.
	Seen   StoredItem
	Change cqrsfeed.FeedChange[T]
}
