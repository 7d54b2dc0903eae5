package mongostore

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
)

// place is an item's place in a feed without the item: the escaped name of the feed, "|", and the time of
// creation as 16 hexadecimal digits that sort as the times do. Documents name places rather than feeds, so
// that an entry can be found even from a later state of the item that carries another time.
type place string

const (
	separator  = "|"
	afterwards = "}" // the byte after the separator
	timeDigits = 16
	signBit    = 1 << 63
)

// escape makes a feed's name free of the separator, in a way that can be undone: then no escaped name with
// a separator behind it is the beginning of another, and the keys of a feed are one range of _id.
func escape(feed string) string {
	if !strings.ContainsAny(feed, "%"+separator) {
		return feed // as almost all are
	}
	return strings.NewReplacer("%", "%25", separator, "%7C").Replace(feed)
}

func unescape(escaped string) string {
	if !strings.Contains(escaped, "%") {
		return escaped
	}
	return strings.NewReplacer("%7C", separator, "%25", "%").Replace(escaped)
}

func newPlace(feed string, created time.Time) place {
	micros := uint64(created.UnixMicro()) ^ signBit
	return place(escape(feed) + separator + fmt.Sprintf("%0*x", timeDigits, micros))
}

// feed is the name of the feed.
func (p place) feed() string { return unescape(string(p[:len(p)-timeDigits-len(separator)])) }

// key is the _id of the entry of an item at this place. Within a feed keys sort by time and then by id.
func (p place) key(id string) string { return string(p) + separator + id }

// itemOf reads the id and the time of an item out of the key of its entry in a feed.
func itemOf(feed, key string) (id string, created time.Time, err error) {
	rest, ok := strings.CutPrefix(key, escape(feed)+separator)
	if !ok || len(rest) <= timeDigits+len(separator) {
		return "", time.Time{}, fmt.Errorf("key %q is not one of feed %q", key, feed)
	}
	micros, err := strconv.ParseUint(rest[:timeDigits], 16, 64)
	if err != nil {
		return "", time.Time{}, fmt.Errorf("time in key %q of feed %q: %w", key, feed, err)
	}
	//nolint:gosec // the reverse of newPlace
	return rest[timeDigits+len(separator):], time.UnixMicro(int64(micros ^ signBit)).UTC(), nil
}

// keyRange is the filter for all entries of a feed.
func keyRange(feed string) bson.D {
	return keysBefore(feed, escape(feed)+afterwards)
}

// keysBefore is the filter for the entries of a feed whose keys are less than end.
func keysBefore(feed, end string) bson.D {
	return bson.D{{Key: "_id", Value: bson.D{
		{Key: "$gte", Value: escape(feed) + separator},
		{Key: "$lt", Value: end},
	}}}
}
