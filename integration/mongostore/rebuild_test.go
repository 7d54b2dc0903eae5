package mongostore_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"

	"github.com/feedmill/feedmill/adapters/mongostore"
	"github.com/feedmill/feedmill/cqrsfeed"
	"github.com/feedmill/feedmill/cqrsfeed/cqrsfeedtest"
	"github.com/feedmill/feedmill/cqrsfeed/readmodel"
	"github.com/feedmill/feedmill/integration/internal/servers"
)

func TestRebuild(t *testing.T) {
	t.Parallel()
	cqrsfeedtest.TestRebuild(t, func(t *testing.T) cqrsfeed.FeedStore[cqrsfeedtest.Body] {
		t.Helper()
		return openFresh(t, mongostore.FeedStoreConfig{})
	})
}

func TestAudit(t *testing.T) {
	t.Parallel()
	cqrsfeedtest.TestAudit(t, func(t *testing.T) cqrsfeedtest.AuditFixture {
		t.Helper()
		db := connect(t, servers.Mongo(t), nil)
		return cqrsfeedtest.AuditFixture{
			Store: open(t, db, mongostore.FeedStoreConfig{}),
			Break: func(t *testing.T, damage cqrsfeedtest.Damage) {
				t.Helper()
				breakDocuments(t, db, damage)
			},
		}
	})
}

// breakDocuments changes documents as somebody would who knows their form.
func breakDocuments(t *testing.T, db *mongo.Database, damage cqrsfeedtest.Damage) {
	t.Helper()
	at := damage.Place
	entries, items, feeds := db.Collection("feedmill_entries"), db.Collection("feedmill_items"), db.Collection("feedmill_feeds")
	entry := bson.D{{Key: "_id", Value: entryKey(at.Feed, at.CreatedAt, at.ID)}}
	item := bson.D{{Key: "_id", Value: at.ID}}
	feed := bson.D{{Key: "_id", Value: at.Feed}}
	set := func(fields ...bson.E) bson.D { return bson.D{{Key: "$set", Value: bson.D(fields)}} }
	update := func(collection *mongo.Collection, filter, update bson.D) {
		result, err := collection.UpdateOne(t.Context(), filter, update)
		require.NoError(t, err)
		require.Equal(t, int64(1), result.MatchedCount, "%v", damage)
	}
	remove := func(collection *mongo.Collection, filter bson.D) {
		result, err := collection.DeleteOne(t.Context(), filter)
		require.NoError(t, err)
		require.Equal(t, int64(1), result.DeletedCount, "%v", damage)
	}
	switch damage.Kind {
	case cqrsfeedtest.EntryGone:
		remove(entries, entry)
	case cqrsfeedtest.EntryBody:
		update(entries, entry, set(bson.E{Key: "body", Value: `{"text":"broken"}`}))
	case cqrsfeedtest.EntryGarbage:
		update(entries, entry, set(bson.E{Key: "body", Value: "garbage"}))
	case cqrsfeedtest.EntryVersion:
		update(entries, entry, set(bson.E{Key: "v", Value: damage.Number}))
	case cqrsfeedtest.EntryStray:
		_, err := entries.InsertOne(t.Context(), append(entry, bson.E{Key: "v", Value: damage.Number}, bson.E{Key: "body", Value: "{}"}))
		require.NoError(t, err)
	case cqrsfeedtest.RecordGone:
		remove(items, item)
	case cqrsfeedtest.RecordVersion:
		update(items, item, set(bson.E{Key: "v", Value: damage.Number}, bson.E{Key: "done", Value: damage.Number}))
	case cqrsfeedtest.RecordFeeds:
		var places []string
		for _, name := range damage.Feeds {
			places = append(places, placeName(name, at.CreatedAt))
		}
		update(items, item, set(bson.E{Key: "feeds", Value: places}))
	case cqrsfeedtest.CountWrong:
		update(feeds, feed, set(bson.E{Key: "count", Value: damage.Number}))
	case cqrsfeedtest.FeedGone:
		remove(feeds, feed)
	}
}

// placeName and entryKey are the documents' form for names without special characters.
func placeName(feed string, created time.Time) string {
	return fmt.Sprintf("%s|%016x", feed, uint64(created.UnixMicro())^(1<<63))
}

func entryKey(feed string, created time.Time, id string) string {
	return placeName(feed, created) + "|" + id
}

// TestAuditFindsWhatACrashLeft: an item that was claimed and then never finished.
func TestAuditFindsWhatACrashLeft(t *testing.T) {
	t.Parallel()
	uri, watched := servers.Mongo(t), &commands{}
	healthy := open(t, connect(t, uri, nil), mongostore.FeedStoreConfig{})
	doomed := open(t, connect(t, uri, watched.monitor()), mongostore.FeedStoreConfig{})
	v1, v2 := state("x", 1, "a", "b"), state("x", 2, "b", "c")
	deliver(t, healthy, [][]change{{v1}})
	_, err := doomed.Apply(watched.crashAfter(t, 1), []change{v2})
	require.Error(t, err)

	items, err := healthy.StoredItems(t.Context(), []string{"x"})
	require.NoError(t, err)
	require.Equal(t, int64(2), items[0].Version)
	require.Equal(t, int64(1), items[0].Applied)
	_, err = healthy.Restate(t.Context(), []readmodel.Restatement[body]{{Seen: items[0], Change: v2}})
	require.NoError(t, err)
	require.Empty(t, versions(t, healthy, "a"))
	require.Equal(t, map[string]int64{"x": 2}, versions(t, healthy, "b"))
	require.Equal(t, map[string]int64{"b": 1, "c": 1}, settled(t, healthy))
}
