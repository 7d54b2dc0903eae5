package mongostore_test

import (
	"context"
	"net/url"
	"reflect"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"
	"go.mongodb.org/mongo-driver/v2/mongo/readconcern"
	"go.mongodb.org/mongo-driver/v2/mongo/readpref"
	"go.mongodb.org/mongo-driver/v2/mongo/writeconcern"

	"github.com/feedmill/feedmill/adapters/mongostore"
	"github.com/feedmill/feedmill/cqrsfeed"
	"github.com/feedmill/feedmill/cqrsfeed/cqrsfeedtest/feedtest"
	"github.com/feedmill/feedmill/cqrsfeed/readmodel"
	"github.com/feedmill/feedmill/integration/internal/servers"
)

// connectLoosely opens a database with settings that would break every promise.
func connectLoosely(t *testing.T, watched *commands) *mongo.Database {
	t.Helper()
	uri := servers.Mongo(t)
	parsed, err := url.Parse(uri)
	require.NoError(t, err)
	registry := bson.NewRegistry()
	registry.RegisterKindEncoder(reflect.Int64, bson.ValueEncoderFunc(
		func(_ bson.EncodeContext, w bson.ValueWriter, v reflect.Value) error {
			return w.WriteString(strconv.FormatInt(v.Int(), 10))
		}))
	client, err := mongo.Connect(options.Client().ApplyURI(uri).SetMonitor(watched.monitor()).
		SetReadPreference(readpref.SecondaryPreferred()).
		SetReadConcern(readconcern.Available()).
		SetWriteConcern(writeconcern.Unacknowledged()).
		SetRegistry(registry).
		SetBSONOptions(&options.BSONOptions{OmitEmpty: true, UseJSONStructTags: true, NilSliceAsEmpty: true}))
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, client.Disconnect(context.Background())) })
	return client.Database(strings.TrimPrefix(parsed.Path, "/"))
}

// TestSettingsOfTheClientAreNotUsed: a store passes its conformance tests on them.
func TestSettingsOfTheClientAreNotUsed(t *testing.T) {
	t.Parallel()
	feedtest.TestFeedStore(t, func(t *testing.T) cqrsfeed.FeedStore[body] {
		t.Helper()
		return open(t, connectLoosely(t, &commands{}), mongostore.FeedStoreConfig{CountAtOnce: 3})
	})
}

// TestEveryCommandIsDurable shows what is sent. A write is confirmed by a majority and its journals, and a read shows only what
// a majority has. So a repeated message is acknowledged without a write only where the write of its first delivery
// outlasts a failover.
func TestEveryCommandIsDurable(t *testing.T) {
	t.Parallel()
	watched := &commands{}
	s := open(t, connectLoosely(t, watched), mongostore.FeedStoreConfig{CountAtOnce: 1})
	gone := state("x", 3)
	gone.Item.Deleted = true
	deliver(t, s, [][]change{
		{state("x", 1, "a", "b"), state("y", 1, "a", "b")}, {state("x", 2, "b", "c")}, {state("x", 2, "b", "c")}, {gone}, {gone},
	})
	settled(t, s)
	_, err := s.Page(t.Context(), "a", "", 10)
	require.NoError(t, err)
	_, err = s.ItemVersion(t.Context(), "x")
	require.NoError(t, err)
	_, err = s.StoredIDs(t.Context(), "", 10)
	require.NoError(t, err)
	stored, err := s.StoredItems(t.Context(), []string{"x", "y"})
	require.NoError(t, err)
	_, err = s.StoredCounts(t.Context(), []string{"a", "b"})
	require.NoError(t, err)
	_, err = s.Restate(t.Context(), []readmodel.Restatement[body]{{Seen: stored[0], Change: state("x", 2, "a")}})
	require.NoError(t, err)
	_, err = s.Forget(t.Context(), stored[1:])
	require.NoError(t, err)
	_, err = s.RecountFeeds(t.Context(), []string{"a", "b", "c"})
	require.NoError(t, err)

	seen := make(map[string]bool)
	for i, name := range watched.sent() {
		seen[name] = true
		command := watched.bodies[i]
		require.NotContains(t, []string{"secondaryPreferred", "secondary"}, text(command, "$readPreference", "mode"), name)
		switch name {
		case "create", "insert", "update", "delete":
			require.Equal(t, "majority", text(command, "writeConcern", "w"), "%s", command)
			require.True(t, command.Lookup("writeConcern", "j").Boolean(), "%s", command)
		case "find", "aggregate":
			require.Equal(t, "majority", text(command, "readConcern", "level"), "%s", command)
		case "hello", "listCollections", "createIndexes", "listIndexes", "explain":
		default:
			require.Fail(t, "unknown command", name)
		}
	}
	require.Subset(t, seen, map[string]bool{
		"create": true, "insert": true, "update": true, "delete": true, "find": true, "aggregate": true, "createIndexes": true,
	})
}

// text returns a field, or "" if it is not there.
func text(command bson.Raw, path ...string) string {
	value, _ := command.Lookup(path...).StringValueOK()
	return value
}

// TestIndexesThatBreakFeedsAreRefused, each by an error that says what to do.
func TestIndexesThatBreakFeedsAreRefused(t *testing.T) {
	t.Parallel()
	for problem, index := range map[string]mongo.IndexModel{
		"index body_1 of feedmill_items is unique, and refuses items: drop it": {
			Keys: bson.D{{Key: "body", Value: 1}}, Options: options.Index().SetUnique(true),
		},
		"index updated_1 of feedmill_items removes documents by their age: drop it": {
			Keys: bson.D{{Key: "updated", Value: 1}}, Options: options.Index().SetExpireAfterSeconds(3600),
		},
		"index feeds_pos of feedmill_items exists with other keys, options or another name: drop it": {
			Keys: bson.D{{Key: "feeds", Value: 1}, {Key: "pos", Value: 1}}, Options: options.Index().SetName("feeds_pos"),
		},
	} {
		db := connect(t, servers.Mongo(t), nil)
		s, err := mongostore.NewFeedStore[body](db, mongostore.FeedStoreConfig{Name: "feedmill"})
		require.NoError(t, err)
		name, err := db.Collection("feedmill_items").Indexes().CreateOne(t.Context(), index)
		require.NoError(t, err)
		require.ErrorContains(t, s.EnsureSchema(t.Context()), problem)
		require.NoError(t, db.Collection("feedmill_items").Indexes().DropOne(t.Context(), name))
		require.NoError(t, s.EnsureSchema(t.Context()), "once it is dropped")
		require.NoError(t, s.EnsureSchema(t.Context()), "again")
	}
}
