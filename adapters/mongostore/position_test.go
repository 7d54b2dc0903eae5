package mongostore_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/feedmill/feedmill/adapters/mongostore"
	"github.com/feedmill/feedmill/cqrsfeed"
)

// FuzzPositions shows that positions sort by time and then by ID, and can be read back.
func FuzzPositions(f *testing.F) {
	f.Add("post-1", "post-2", int64(0), int64(1))
	f.Add("|", "a|b", int64(-1), int64(0))
	f.Add("x", "x|", int64(1)<<62, -int64(1)<<62)
	f.Add("🙂", "\uffee", int64(1_709_294_400_123_456), int64(1_709_294_400_123_457))
	f.Add(" ", "  ", int64(-62_135_596_800_000_000), int64(253_402_300_799_999_999))
	f.Fuzz(func(t *testing.T, id, otherID string, micros, otherMicros int64) {
		if cqrsfeed.ValidateID(id) != nil || cqrsfeed.ValidateID(otherID) != nil {
			return // the store refuses them
		}
		position := mongostore.NewPosition(time.UnixMicro(micros), id)
		created, err := mongostore.Created(position)
		require.NoError(t, err)
		require.Equal(t, micros, created.UnixMicro())
		require.Less(t, position, mongostore.Newest)
		before := micros < otherMicros || micros == otherMicros && id < otherID
		require.Equal(t, before, position < mongostore.NewPosition(time.UnixMicro(otherMicros), otherID))
	})
}

func TestPositionsWithoutATimeAreRefused(t *testing.T) {
	t.Parallel()
	for _, position := range []string{"", "|id", "80000000|id", "xxxxxxxxxxxxxxxx|id"} {
		_, err := mongostore.Created(position)
		require.Error(t, err, "position %q", position)
	}
}
