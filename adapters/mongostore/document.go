package mongostore

import (
	"fmt"
	"slices"
	"strconv"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
)

// itemDocument is an item. Every change of its feeds or its body is one atomic write of this document.
type itemDocument struct {
	ID string `bson:"_id"`
	// Version is the highest version that was applied.
	Version int64 `bson:"v"`
	// Position orders the items of a feed: see newPosition.
	Position string `bson:"pos"`
	// Updated is in microseconds since 1970: a BSON date has milliseconds.
	Updated int64 `bson:"updated"`
	// Feeds are the feeds of Version.
	Feeds []string `bson:"feeds,omitempty"`
	// Left are feeds that the item left and whose revisions may not have been bumped since.
	Left []string `bson:"left,omitempty"`
	// Past are feeds that the item left and whose revisions were bumped. They are only announced again, when
	// an old message comes again: the first announcement may have been lost.
	Past []string `bson:"past,omitempty"`
	// Body is the item's JSON. A deleted item has none.
	Body string `bson:"body,omitempty"`
}

// feedDocument is the head of a feed: what is known of the feed apart from its items.
type feedDocument struct {
	Name string `bson:"_id"`
	// Revision grows with every change of the feed or its count. It never goes back.
	Revision int64 `bson:"rev"`
	Count    int64 `bson:"count"`
	// Counted is a revision: Count includes every write whose bump made it or an earlier one.
	Counted int64 `bson:"counted"`
	// Pending is there while Count may lack later writes. The index of pending feeds is sparse.
	Pending bool `bson:"pending,omitempty"`
}

// Names of fields.
const (
	fieldID       = "_id"
	fieldVersion  = "v"
	fieldPosition = "pos"
	fieldFeeds    = "feeds"
	fieldBody     = "body"
	fieldRevision = "rev"
	fieldPending  = "pending"
)

const (
	timeDigits = 16
	signBit    = 1 << 63
	separator  = "|"
)

// newPosition returns the time of creation as 16 hexadecimal digits that sort as the times do, and the item's ID.
// Descending positions are the order of a feed.
func newPosition(created time.Time, id string) string {
	micros := uint64(created.UnixMicro()) ^ signBit
	return fmt.Sprintf("%0*x", timeDigits, micros) + separator + id
}

// created returns the time of creation.
func (d itemDocument) created() (time.Time, error) {
	if len(d.Position) < timeDigits {
		return time.Time{}, fmt.Errorf("position %q of item %q has no time", d.Position, d.ID)
	}
	micros, err := strconv.ParseUint(d.Position[:timeDigits], 16, 64)
	if err != nil {
		return time.Time{}, fmt.Errorf("position %q of item %q has no time: %w", d.Position, d.ID, err)
	}
	return time.UnixMicro(int64(micros ^ signBit)).UTC(), nil //nolint:gosec // the reverse of newPosition
}

// size is about how many bytes the document has.
func (d itemDocument) size() int {
	const perName = 16 // type, index and length
	total := len(d.Body)
	for _, names := range [][]string{d.Feeds, d.Left, d.Past} {
		for _, name := range names {
			total += len(name) + perName
		}
	}
	return total
}

// union returns the names of all lists, sorted, each once.
func union(lists ...[]string) []string {
	all := slices.Concat(lists...)
	slices.Sort(all)
	return slices.Compact(all)
}

// without returns the names that are not in others, which is sorted.
func without(names, others []string) []string {
	return slices.DeleteFunc(slices.Clone(names), func(name string) bool {
		_, found := slices.BinarySearch(others, name)
		return found
	})
}

// among is the filter for the documents with one of these IDs.
func among(ids []string) bson.D {
	return bson.D{{Key: fieldID, Value: bson.D{{Key: "$in", Value: ids}}}}
}
