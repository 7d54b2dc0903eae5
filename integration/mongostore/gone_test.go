package mongostore_test

import (
	"testing"

	"github.com/stretchr/testify/require"
	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/feedmill/feedmill/adapters/mongostore"
	"github.com/feedmill/feedmill/integration/internal/servers"
)

// TestHeadsThatSomebodyRemoved takes the heads of feeds away.
func TestHeadsThatSomebodyRemoved(t *testing.T) {
	t.Parallel()
	db := connect(t, servers.Mongo(t), nil)
	s := open(t, db, mongostore.FeedStoreConfig{Name: "feedmill"})
	deliver(t, s, [][]change{{state("x", 1, "a", "b", "c")}})
	_, err := db.Collection("feedmill_feeds").DeleteMany(t.Context(), bson.D{{Key: "_id", Value: bson.D{{Key: "$ne", Value: "b"}}}})
	require.NoError(t, err)

	announced := deliver(t, s, [][]change{{state("y", 1, "a", "b")}})
	require.Contains(t, announced, "a")
	require.Contains(t, announced, "b")
	require.Equal(t, map[string]int64{"a": 2, "b": 2}, settled(t, s))
}

// TestFeedsThatNothingWasEverInHaveNoHead: a state that comes late names feeds that the item never was in.
func TestFeedsThatNothingWasEverInHaveNoHead(t *testing.T) {
	t.Parallel()
	db := connect(t, servers.Mongo(t), nil)
	s := open(t, db, mongostore.FeedStoreConfig{Name: "feedmill"})
	deleted := state("y", 3)
	deleted.Item.Deleted = true
	announced := deliver(t, s, [][]change{
		{state("x", 1, "never"), state("x", 2, "a")}, {state("x", 1, "never")}, {deleted}, {state("y", 2, "never")},
	})
	require.NotContains(t, announced, "never")
	var heads []bson.M
	cursor, err := db.Collection("feedmill_feeds").Find(t.Context(), bson.D{})
	require.NoError(t, err)
	require.NoError(t, cursor.All(t.Context(), &heads))
	require.Len(t, heads, 1)
	require.Equal(t, "a", heads[0]["_id"])
}

// TestDeletedItemsKeepNoBody looks at the document that stays.
func TestDeletedItemsKeepNoBody(t *testing.T) {
	t.Parallel()
	db := connect(t, servers.Mongo(t), nil)
	s := open(t, db, mongostore.FeedStoreConfig{Name: "feedmill"})
	deleted := state("x", 2, "a")
	deleted.Item.Deleted = true
	deliver(t, s, [][]change{{state("x", 1, "a")}, {deleted}})
	var document bson.M
	require.NoError(t, db.Collection("feedmill_items").FindOne(t.Context(), bson.D{{Key: "_id", Value: "x"}}).Decode(&document))
	require.NotContains(t, document, "body")
	require.NotContains(t, document, "feeds")
	require.EqualValues(t, 2, document["v"])
}

// TestAMissingIndexIsNamed reads pages without EnsureSchema.
func TestAMissingIndexIsNamed(t *testing.T) {
	t.Parallel()
	s, err := mongostore.NewFeedStore[body](connect(t, servers.Mongo(t), nil), mongostore.FeedStoreConfig{Name: "feedmill"})
	require.NoError(t, err)
	deliver(t, s, [][]change{{state("x", 1, "a")}})
	_, err = s.Page(t.Context(), "a", "", 10)
	require.ErrorContains(t, err, "index feeds_pos is missing, EnsureSchema creates it")
}
