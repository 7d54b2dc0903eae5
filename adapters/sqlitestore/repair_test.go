package sqlitestore_test

import (
	"math"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/feedmill/feedmill/adapters/sqlitestore"
	"github.com/feedmill/feedmill/cqrsfeed"
	"github.com/feedmill/feedmill/cqrsfeed/cqrsfeedtest"
	"github.com/feedmill/feedmill/cqrsfeed/readmodel"
)

// TestRestateRefusesABodyThatCannotBeEncoded, as Apply does. An audit then skips the item instead of trying again.
func TestRestateRefusesABodyThatCannotBeEncoded(t *testing.T) {
	t.Parallel()
	store := openFeedStore(t, openDB(t, sqlitestore.DSN(freshPath(t))))
	_, err := store.Restate(t.Context(), []readmodel.Restatement[cqrsfeedtest.Body]{{
		Seen: readmodel.StoredItem{ID: "x"},
		Change: cqrsfeed.FeedChange[cqrsfeedtest.Body]{
			Item: cqrsfeed.Item[cqrsfeedtest.Body]{
				ID: "x", Version: 1, CreatedAt: time.Unix(1, 0), UpdatedAt: time.Unix(1, 0),
				Body: cqrsfeedtest.Body{Score: math.NaN()},
			},
			Feeds: []string{"a"},
		},
	}})
	require.ErrorIs(t, err, cqrsfeed.ErrInvalid)
}
