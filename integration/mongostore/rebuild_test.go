package mongostore_test

import (
	"testing"

	"github.com/stretchr/testify/require"
	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"

	"github.com/feedmill/feedmill/adapters/mongostore"
	"github.com/feedmill/feedmill/cqrsfeed/cqrsfeedtest"
	"github.com/feedmill/feedmill/cqrsfeed/cqrsfeedtest/readmodeltest"
	"github.com/feedmill/feedmill/cqrsfeed/readmodel"
	"github.com/feedmill/feedmill/integration/internal/servers"
)

func TestRebuild(t *testing.T) {
	t.Parallel()
	readmodeltest.TestRebuild(t, func(t *testing.T) readmodel.Store[cqrsfeedtest.Body] {
		t.Helper()
		return openFresh(t, mongostore.FeedStoreConfig{})
	})
}

func TestAudit(t *testing.T) {
	t.Parallel()
	readmodeltest.TestAudit(t, func(t *testing.T) readmodeltest.AuditFixture {
		t.Helper()
		db := connect(t, servers.Mongo(t), nil)
		return readmodeltest.AuditFixture{
			Store: open(t, db, mongostore.FeedStoreConfig{}),
			Break: func(t *testing.T, damage readmodeltest.Damage) {
				t.Helper()
				breakDocuments(t, db, damage)
			},
		}
	})
}

// breakDocuments damages documents.
func breakDocuments(t *testing.T, db *mongo.Database, damage readmodeltest.Damage) {
	t.Helper()
	items, feeds := db.Collection("feedmill_items"), db.Collection("feedmill_feeds")
	item, feed := bson.D{{Key: "_id", Value: damage.Item}}, bson.D{{Key: "_id", Value: damage.Feed}}
	set := func(collection *mongo.Collection, filter bson.D, field string, value any) {
		result, err := collection.UpdateOne(t.Context(), filter, bson.D{{Key: "$set", Value: bson.D{{Key: field, Value: value}}}})
		require.NoError(t, err)
		require.Equal(t, int64(1), result.MatchedCount, "%v", damage)
	}
	remove := func(collection *mongo.Collection, filter bson.D) {
		result, err := collection.DeleteOne(t.Context(), filter)
		require.NoError(t, err)
		require.Equal(t, int64(1), result.DeletedCount, "%v", damage)
	}
	switch damage.Kind {
	case readmodeltest.ItemGone:
		remove(items, item)
	case readmodeltest.ItemVersion:
		set(items, item, "v", damage.Number)
	case readmodeltest.ItemFeeds:
		set(items, item, "feeds", damage.Feeds)
	case readmodeltest.ItemBody:
		set(items, item, "body", `{"text":"broken"}`)
	case readmodeltest.ItemGarbage:
		set(items, item, "body", "garbage")
	case readmodeltest.ItemUpdated:
		set(items, item, "updated", damage.Number)
	case readmodeltest.CountWrong:
		set(feeds, feed, "count", damage.Number)
	case readmodeltest.FeedGone:
		remove(feeds, feed)
	default:
		t.Fatalf("the store has no %q", damage.Kind)
	}
}
