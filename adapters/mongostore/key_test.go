package mongostore_test

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/feedmill/feedmill/adapters/mongostore"
	"github.com/feedmill/feedmill/cqrsfeed"
)

// FuzzKeys shows that keys can be read back, that the keys of one feed are in its range and those of any
// other feed are not, and that their order is the order of positions.
func FuzzKeys(f *testing.F) {
	f.Add("go", "go", "post-1", "post-2", int64(0), int64(1))
	f.Add("a", "a|", "|", "a|b", int64(-1), int64(0))
	f.Add("a%", "a%7C", "x", "x|", int64(1)<<62, -int64(1)<<62)
	f.Add("%25", "%", "8000000000000000|x", "x", int64(5), int64(5))
	f.Add("a}", "a", "🙂", "\uffee", int64(1_709_294_400_123_456), int64(1_709_294_400_123_457))
	f.Add(strings.Repeat("🙂", 64), strings.Repeat("🙂", 63), "x", "x", int64(2), int64(1))
	f.Add(strings.Repeat("\U0010ffff", 64), strings.Repeat("\U0010ffff", 63)+"|", "🙂", "x", int64(-1), int64(1))
	f.Add(strings.Repeat("|", 256), strings.Repeat("|", 255), "|", "||", int64(0), int64(0))
	f.Add("a{", "a", "x", "x", int64(0), int64(0)) // the bytes before, at and after the separator
	f.Add("a}", "a|", "x", "x", int64(0), int64(0))
	f.Add("a~", "a}", "x", "x", int64(0), int64(0))
	f.Add("a|8000000000000000|x", "a", "x", "8000000000000000|x", int64(0), int64(0))
	f.Add("a%7c", "a|", "%7C", "|", int64(0), int64(0))
	f.Add("$a", "a$", " ", "  ", int64(-62_135_596_800_000_000), int64(253_402_300_799_999_999))
	f.Fuzz(func(t *testing.T, feed, other, id, otherID string, micros, otherMicros int64) {
		if cqrsfeed.ValidateFeed(feed) != nil || cqrsfeed.ValidateFeed(other) != nil ||
			cqrsfeed.ValidateID(id) != nil || cqrsfeed.ValidateID(otherID) != nil {
			return // what the store refuses never becomes a key
		}
		created, otherCreated := time.UnixMicro(micros).UTC(), time.UnixMicro(otherMicros).UTC()
		key := mongostore.Key(feed, id, created)

		gotID, gotTime, err := mongostore.ItemOf(feed, key)
		require.NoError(t, err)
		require.Equal(t, id, gotID)
		require.Equal(t, micros, gotTime.UnixMicro())
		require.Equal(t, feed, mongostore.FeedOf(feed, created))

		from, to := mongostore.RangeOf(feed)
		require.True(t, from <= key && key < to, "key %q is in its feed's range", key)
		if feed != other {
			otherFrom, otherTo := mongostore.RangeOf(other)
			require.True(t, otherTo <= from || to <= otherFrom, "the ranges of %q and %q are apart", feed, other)
			foreign := mongostore.Key(other, otherID, otherCreated)
			require.False(t, from <= foreign && foreign < to, "key %q is not in the range of %q", foreign, feed)
		}

		before := micros < otherMicros || micros == otherMicros && id < otherID
		require.Equal(t, before, key < mongostore.Key(feed, otherID, otherCreated), "keys sort as positions do")
	})
}

func TestItemOfRefusesForeignKeys(t *testing.T) {
	t.Parallel()
	for _, key := range []string{"", "go", "go|", "go|8000000000000000", "go|8000000000000000|", "go|xxxxxxxxxxxxxxxx|id", "rust|8000000000000000|id"} {
		_, _, err := mongostore.ItemOf("go", key)
		require.Error(t, err, "key %q", key)
	}
}

func TestLongestKeyFitsIndexes(t *testing.T) {
	t.Parallel()
	key := mongostore.Key(strings.Repeat("|", cqrsfeed.MaxFeedLength), strings.Repeat("x", cqrsfeed.MaxIDLength), time.Now())
	require.Less(t, len(key), 1024, "the least that servers index")
}
