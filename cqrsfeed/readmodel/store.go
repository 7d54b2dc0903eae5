package readmodel

import (
	"context"
	"time"

	"github.com/feedmill/feedmill/cqrsfeed"
)

// Source is the write model that a read model is made from. Every cqrsfeed.Repository is one; an application with
// tables of its own implements this method.
type Source[T any] interface {
	// Scan returns up to limit items with ids greater than after, in the byte order of their ids, tombstones
	// included. See cqrsfeed.Repository.
	Scan(ctx context.Context, after string, limit int) ([]cqrsfeed.Item[T], error)
}

// Store is a feed store that can be rebuilt and audited.
type Store[T any] interface {
	cqrsfeed.FeedStore[T]
	Inspector
	Repairer[T]
}

// Inspector shows what a store holds. A result need not be a snapshot: callers that compare results look twice.
type Inspector interface {
	// StoredIDs returns up to limit ids of the items that the store knows, deleted ones included, in byte
	// order, from the first id greater than after. It returns none only at the end. driver.PageLimit bounds the
	// limit.
	StoredIDs(ctx context.Context, after string, limit int) ([]string, error)

	// StoredItems returns what the store holds of up to MaxPageLimit items, in any order. Unknown items are left
	// out.
	StoredItems(ctx context.Context, ids []string) ([]StoredItem, error)

	// StoredCounts returns the recorded and the actual size of up to MaxPageLimit feeds, one for every name,
	// in any order.
	StoredCounts(ctx context.Context, feeds []string) ([]StoredCount, error)
}

// Repairer corrects what Apply does not change because the store has the version already. A repair is based on an
// earlier read. It therefore names what was seen, and leaves an item alone whose version changed since. A call that
// failed may have done a part, and may be repeated.
//
// The methods return the feeds that they changed, for the caller to announce. Where Apply defers counts, Restate and
// Forget may do so too.
type Repairer[T any] interface {
	// Restate makes the store hold exactly these states, also if it has the same version or a higher one. It
	// returns ErrInvalid for what Apply refuses. At most MaxPageLimit items, each once.
	Restate(ctx context.Context, states []Restatement[T]) ([]cqrsfeed.FeedUpdated, error)

	// Forget removes items as if they had never been applied: an item with that id may come again with any
	// version. At most MaxPageLimit items, each once.
	Forget(ctx context.Context, seen []StoredItem) ([]cqrsfeed.FeedUpdated, error)

	// RecountFeeds counts up to MaxPageLimit feeds, also those that the store believes to be counted.
	RecountFeeds(ctx context.Context, feeds []string) ([]cqrsfeed.FeedUpdated, error)
}

// StoredItem is what a store holds of an item, as pages show it.
type StoredItem struct {
	ID string
	// Version is what ItemVersion returns.
	Version int64
	// Feeds are the feeds whose pages show the item, in byte order. A deleted item is in none.
	Feeds []string
	// CreatedAt, UpdatedAt and Body are those that pages show. They mean nothing for an item that is in no feed.
	CreatedAt, UpdatedAt time.Time
	// Body is the JSON that is stored, or whatever is in its place.
	Body []byte
}

// StoredCount is the size of a feed.
type StoredCount struct {
	Feed string
	// Count and Revision are recorded, and shown to readers. Items is the number of items in the feed.
	Count, Revision, Items int64
	// Exact reports that the three are of one moment. If they are not, they can differ while the feed changes.
	Exact bool
}

// Restatement is the state that an item must have in a store.
type Restatement[T any] struct {
	// Seen is what the store held. The zero value stands for an unknown item.
	Seen   StoredItem
	Change cqrsfeed.FeedChange[T]
}
