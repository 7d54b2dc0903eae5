package readmodel

import (
	"context"
	"time"

	"github.com/feedmill/feedmill/cqrsfeed"
)

// Inspector is the optional power of a FeedStore to show what it holds beside what readers see. Rebuild
// finds orphans by it and Audit compares it with the write model.
//
// No answer has to be of one moment with another: whoever compares them looks twice.
type Inspector interface {
	// StoredIDs returns up to limit ids of the items that the store has a record of, deleted ones included,
	// in their byte order, from the first greater than after: with after = "" and then the last id of each
	// answer it visits every record, until an answer is empty. Limits are those of PageLimit.
	StoredIDs(ctx context.Context, after string, limit int) ([]string, error)

	// StoredItems returns the records of up to MaxPageLimit items, in any order, without those that there
	// is no record of.
	StoredItems(ctx context.Context, ids []string) ([]StoredItem, error)

	// StoredEntries returns the entries at up to MaxPageLimit places, in any order, without those where
	// there is none.
	StoredEntries(ctx context.Context, places []Place) ([]StoredEntry, error)

	// StoredPlaces walks through all entries in an order of the store's own in which those of a feed are
	// together. It returns the places of up to limit entries and the cursor for those that follow, which is
	// "" at the end. It begins with the cursor "". Limits are those of PageLimit.
	StoredPlaces(ctx context.Context, cursor string, limit int) (places []Place, next string, err error)

	// StoredCounts counts the entries of up to MaxPageLimit feeds. It answers for every name, also of a
	// feed that nobody wrote to.
	StoredCounts(ctx context.Context, feeds []string) ([]StoredCount, error)
}

// Repairer is the optional power of a FeedStore to put right what Apply takes for right because of its
// versions. What a repair is based on was read before; each one therefore says what was seen, and leaves
// alone what changed since. Like Apply, a call that failed may have done a part, and may be repeated.
//
// Calls return the feeds that they changed, for their followers to be told.
type Repairer[T any] interface {
	// Restate makes the store hold exactly these states, also where it has the same version or a higher
	// one: the entries at the places on record and at those of the new state are written anew or removed.
	// It refuses what Apply refuses, with ErrInvalid. Up to MaxPageLimit items, each once.
	Restate(ctx context.Context, states []Restatement[T]) ([]cqrsfeed.FeedUpdated, error)

	// Forget removes items as if they had never been: their records, and the entries at the places on
	// record. An item of that id may come again with any version. Up to MaxPageLimit items, each once.
	Forget(ctx context.Context, seen []StoredItem) ([]cqrsfeed.FeedUpdated, error)

	// RemoveEntries removes up to MaxPageLimit entries that still have the version that was seen.
	RemoveEntries(ctx context.Context, seen []StoredEntry) ([]cqrsfeed.FeedUpdated, error)

	// RecountFeeds counts up to MaxPageLimit feeds anew, whatever the store thinks of their counts.
	RecountFeeds(ctx context.Context, feeds []string) ([]cqrsfeed.FeedUpdated, error)
}

// StoredItem is a store's record of an item.
type StoredItem struct {
	ID string
	// Version is the version that the store is at, and Applied the highest one that it has finished: what
	// ItemVersion returns. They differ while an Apply is at work, and after one that was cut off.
	Version, Applied int64
	// Places are where the entries of Version belong.
	Places []Place
}

// Place is where an entry is: in a feed, by the time of the item's creation and its id.
type Place struct {
	Feed      string
	CreatedAt time.Time
	ID        string
}

// StoredEntry is an item in a feed as a store has it.
type StoredEntry struct {
	Place     Place
	Version   int64
	UpdatedAt time.Time
	// Body is JSON as it was stored, or whatever is in its place by now.
	Body []byte
}

// StoredCount is what a store tells of the size of a feed, and what it is.
type StoredCount struct {
	Feed string
	// Count and Revision are what readers see, and Entries is how many there are.
	Count, Entries, Revision int64
	// Exact says that all are of one moment. Where they are not, they can differ while the feed changes.
	Exact bool
}

// Restatement is a state that an item has to have in a store, and the record that was seen there. The zero
// StoredItem stands for none.
type Restatement[T any] struct {
	Seen   StoredItem
	Change cqrsfeed.FeedChange[T]
}

// at is the place as a key of a map: equal instants are equal.
func (p Place) at() Place {
	p.CreatedAt = time.UnixMicro(p.CreatedAt.UnixMicro()).UTC()
	return p
}

// PlacesOf are where the entries of a state belong: none for a deleted item.
func PlacesOf[T any](change cqrsfeed.FeedChange[T]) []Place {
	if change.Item.Deleted {
		return nil
	}
	places := make([]Place, 0, len(change.Feeds))
	for _, feed := range change.Feeds {
		places = append(places, Place{Feed: feed, CreatedAt: change.Item.CreatedAt, ID: change.Item.ID}.at())
	}
	return places
}
