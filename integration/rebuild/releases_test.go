package rebuild_test

import (
	"context"
	"database/sql"
	"net/url"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"github.com/feedmill/feedmill/adapters/mongostore"
	"github.com/feedmill/feedmill/adapters/mysqlstore"
	"github.com/feedmill/feedmill/integration/internal/servers"
	"github.com/feedmill/feedmill/internal/releasestest"
)

// TestReleasesSideBySide runs the recipes of docs/changing-items.md on MySQL and MongoDB.
func TestReleasesSideBySide(t *testing.T) {
	t.Parallel()
	for name, recipe := range map[string]func(*testing.T, *databases){
		"add a field": func(t *testing.T, on *databases) {
			t.Helper()
			releasestest.Add(t, release[releasestest.Note](t, on), release[releasestest.NoteWithStars](t, on))
		},
		"remove a field": func(t *testing.T, on *databases) {
			t.Helper()
			releasestest.Remove(t, release[releasestest.NoteWithStars](t, on), release[releasestest.Note](t, on),
				release[releasestest.NoteWithoutStars](t, on))
		},
		"rename a field": func(t *testing.T, on *databases) {
			t.Helper()
			releasestest.Rename(t, release[releasestest.Note](t, on), release[releasestest.NoteReadsTitle](t, on),
				release[releasestest.NoteWithTitle](t, on))
		},
		"change a type": func(t *testing.T, on *databases) {
			t.Helper()
			releasestest.Retype(t, release[releasestest.Task](t, on), release[releasestest.TaskReadsNames](t, on),
				release[releasestest.TaskWithNames](t, on))
		},
		"expand and contract": func(t *testing.T, on *databases) {
			t.Helper()
			releasestest.ExpandAndContract(t, release[releasestest.Person](t, on), release[releasestest.PersonExpanded](t, on),
				release[releasestest.PersonContracted](t, on))
		},
		"in one step": func(t *testing.T, on *databases) {
			t.Helper()
			releasestest.InOneStep(t, release[releasestest.Task](t, on), release[releasestest.TaskWithNames](t, on))
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			recipe(t, openDatabases(t))
		})
	}
}

// databases are those of a test.
type databases struct {
	sql   *sql.DB
	mongo *mongo.Database
}

func openDatabases(t *testing.T) *databases {
	t.Helper()
	db, err := sql.Open("mysql", servers.MySQL(t))
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, db.Close()) })
	uri := servers.Mongo(t)
	parsed, err := url.Parse(uri)
	require.NoError(t, err)
	client, err := mongo.Connect(options.Client().ApplyURI(uri))
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, client.Disconnect(context.Background())) })
	return &databases{sql: db, mongo: client.Database(strings.TrimPrefix(parsed.Path, "/"))}
}

// release opens an instance of a release.
func release[T any](t *testing.T, on *databases) releasestest.Release[T] {
	t.Helper()
	store, err := mysqlstore.New(on.sql, mysqlstore.Config{})
	require.NoError(t, err)
	notes, err := mysqlstore.NewRepository[T](store, "note")
	require.NoError(t, err)
	require.NoError(t, store.EnsureSchema(t.Context()))
	feeds, err := mongostore.NewFeedStore[T](on.mongo, mongostore.FeedStoreConfig{Name: "note"})
	require.NoError(t, err)
	require.NoError(t, feeds.EnsureSchema(t.Context()))
	return releasestest.Release[T]{Notes: notes, Feeds: feeds, Outbox: store.Outbox()}
}
