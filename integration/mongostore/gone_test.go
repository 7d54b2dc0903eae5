package mongostore_test

import (
	"testing"

	"github.com/stretchr/testify/require"
	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/feedmill/feedmill/adapters/mongostore"
	"github.com/feedmill/feedmill/integration/internal/servers"
)

// TestHeadsThatSomebodyRemoved takes feeds away that the process knows to have a head.
func TestHeadsThatSomebodyRemoved(t *testing.T) {
	t.Parallel()
	db := connect(t, servers.Mongo(t), nil)
	s := open(t, db, mongostore.FeedStoreConfig{})
	deliver(t, s, [][]change{{state("x", 1, "a", "b", "c")}})
	_, err := db.Collection("feedmill_feeds").DeleteMany(t.Context(), bson.D{{Key: "_id", Value: bson.D{{Key: "$ne", Value: "b"}}}})
	require.NoError(t, err)

	announced := deliver(t, s, [][]change{{state("y", 1, "a", "b")}})
	require.Contains(t, announced, "a")
	require.Contains(t, announced, "b")
	require.Equal(t, map[string]int64{"a": 2, "b": 2}, settled(t, s))
}

// TestARecordThatGoesWhileItsEntriesAreWritten forgets an item, as a rebuild does with one that the write model does not
// know, while a worker stands between its entries and their verification. The worker has nothing by which it could clear
// them away, so it fails, and comes again with a record.
func TestARecordThatGoesWhileItsEntriesAreWritten(t *testing.T) {
	t.Parallel()
	uri, watched := servers.Mongo(t), &commands{}
	healthy := open(t, connect(t, uri, nil), mongostore.FeedStoreConfig{})
	held := open(t, connect(t, uri, watched.monitor()), mongostore.FeedStoreConfig{})

	const beforeBump = 3
	reached, resume := watched.holdBefore(t, beforeBump)
	applied := make(chan error, 1)
	go func() {
		_, err := held.Apply(t.Context(), []change{state("x", 1, "a")})
		applied <- err
	}()
	<-reached
	seen, err := healthy.StoredItems(t.Context(), []string{"x"})
	require.NoError(t, err)
	require.Len(t, seen, 1)
	_, err = healthy.Forget(t.Context(), seen)
	require.NoError(t, err)
	require.Empty(t, versions(t, healthy, "a"))
	resume()
	require.ErrorContains(t, <-applied, `the record of item "x" went`)

	deliver(t, healthy, [][]change{{state("x", 1, "a")}})
	require.Equal(t, map[string]int64{"x": 1}, versions(t, healthy, "a"))
	version, err := healthy.ItemVersion(t.Context(), "x")
	require.NoError(t, err)
	require.EqualValues(t, 1, version)
	require.Equal(t, map[string]int64{"a": 1}, settled(t, healthy))
}
