package mongostore

import (
	"fmt"
	"slices"
	"strconv"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/feedmill/feedmill/cqrsfeed"
)

// itemDocument is an item. Every change of its feeds or its body is one atomic write of this document.
type itemDocument struct {
	ID string `bson:"_id"`
	// Version is the highest applied version.
	Version int64 `bson:"v"`
	// Rule is the rule of the change by which Version was applied. It determined Feeds.
	Rule int64 `bson:"rule"`
	// Withheld reports that Version is withheld. The item then has neither feeds nor a body.
	Withheld bool `bson:"withheld,omitempty"`
	// Position orders the items of a feed: see newPosition.
	Position string `bson:"pos"`
	// Updated is in microseconds since 1970: a BSON date has milliseconds.
	Updated int64 `bson:"updated"`
	// Feeds are the feeds of Version by Rule.
	Feeds []string `bson:"feeds,omitempty"`
	// Left are feeds that the item left and whose revisions may not have been bumped since.
	Left []string `bson:"left,omitempty"`
	// Past are feeds that the item left and whose revisions were bumped. They are announced again if an old message is
	// redelivered, because the first announcement may have been lost.
	Past []string `bson:"past,omitempty"`
	// Body is the item's JSON. A deleted item has none.
	Body string `bson:"body,omitempty"`
}

// feedDocument is the head of a feed: its properties apart from its items.
type feedDocument struct {
	Name string `bson:"_id"`
	// Revision grows with every change of the feed or its count. It never decreases.
	Revision int64 `bson:"rev"`
	Count    int64 `bson:"count"`
	// Counted is a revision. Count includes every write that was bumped up to that revision.
	Counted int64 `bson:"counted"`
	// Pending is set while Count may lack later writes. It names the store that was the last to defer the count, and
	// that counts the feed. The index of pending feeds is sparse.
	Pending string `bson:"pending,omitempty"`
	// Changed is the time when the head was last written, in microseconds since 1970 by the writer's clock.
	Changed int64 `bson:"changed"`
}

// unchanged is the filter for the head as long as nobody has changed it. It has all fields, because a head that was removed
// begins again with the first revision.
func (d feedDocument) unchanged() bson.D {
	return bson.D{
		{Key: fieldID, Value: d.Name},
		{Key: fieldRevision, Value: d.Revision},
		{Key: fieldCount, Value: d.Count},
		{Key: "counted", Value: d.Counted},
		{Key: fieldChanged, Value: d.Changed},
	}
}

// Names of fields.
const (
	fieldID       = "_id"
	fieldVersion  = "v"
	fieldWithheld = "withheld"
	fieldRule     = "rule"
	fieldPosition = "pos"
	fieldFeeds    = "feeds"
	fieldBody     = "body"
	fieldRevision = "rev"
	fieldCount    = "count"
	fieldPending  = "pending"
	fieldChanged  = "changed"
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

// state returns the item's state, by which states are ordered.
func (d itemDocument) state() cqrsfeed.FeedState {
	return cqrsfeed.FeedState{Version: d.Version, Rule: d.Rule, Withheld: d.Withheld}
}

// size is the approximate size of the document in bytes.
func (d itemDocument) size() int {
	return len(d.Body) + sizeOf(d.Feeds) + sizeOf(d.Left) + sizeOf(d.Past)
}

// sizeOf is the approximate size of a list of names in bytes.
func sizeOf(names []string) int {
	const perName = 16 // type, index and length
	total := 0
	for _, name := range names {
		total += len(name) + perName
	}
	return total
}

// union returns the names of all lists, sorted, each once.
func union(lists ...[]string) []string {
	all := slices.Concat(lists...)
	slices.Sort(all)
	return slices.Compact(all)
}

// without returns the names that are not in others. others must be sorted.
func without(names, others []string) []string {
	return slices.DeleteFunc(slices.Clone(names), func(name string) bool {
		_, found := slices.BinarySearch(others, name)
		return found
	})
}

// among is the filter for the documents with the IDs.
func among(ids []string) bson.D {
	return bson.D{{Key: fieldID, Value: oneOf(ids)}}
}
