package mongostore_test

import (
	"cmp"
	"context"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.mongodb.org/mongo-driver/v2/event"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"github.com/feedmill/feedmill/adapters/mongostore"
	"github.com/feedmill/feedmill/cqrsfeed"
	"github.com/feedmill/feedmill/cqrsfeed/cqrsfeedtest"
	"github.com/feedmill/feedmill/cqrsfeed/driver"
	"github.com/feedmill/feedmill/cqrsfeed/limits"
	"github.com/feedmill/feedmill/integration/internal/servers"
)

type (
	body   = cqrsfeedtest.Body
	change = cqrsfeed.FeedChange[body]
	store  = mongostore.FeedStore[body]
)

// connect opens the database that uri names, until the test ends. monitor may be nil.
func connect(t *testing.T, uri string, monitor *event.CommandMonitor) *mongo.Database {
	t.Helper()
	parsed, err := url.Parse(uri)
	require.NoError(t, err)
	client, err := mongo.Connect(options.Client().ApplyURI(uri).SetMonitor(monitor))
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, client.Disconnect(context.Background())) })
	return client.Database(strings.TrimPrefix(parsed.Path, "/"))
}

// open makes a store on a database, with its schema.
func open(t *testing.T, db *mongo.Database, config mongostore.FeedStoreConfig) *store {
	t.Helper()
	s := reopen(t, db, config)
	require.NoError(t, s.EnsureSchema(t.Context()))
	return s
}

// reopen makes a store on a database whose schema exists.
func reopen(t *testing.T, db *mongo.Database, config mongostore.FeedStoreConfig) *store {
	t.Helper()
	config.Name = cmp.Or(config.Name, "feedmill")
	s, err := mongostore.NewFeedStore[body](db, config)
	require.NoError(t, err)
	return s
}

// openFresh makes a store on an empty database.
func openFresh(t *testing.T, config mongostore.FeedStoreConfig) *store {
	t.Helper()
	return open(t, connect(t, servers.Mongo(t), nil), config)
}

// state is a version of an item in feeds.
func state(id string, version int64, feeds ...string) change {
	created := time.Date(2024, 3, 1, 12, 0, 0, 123_456_000, time.UTC)
	return change{
		Item: cqrsfeed.Item[body]{
			ID: id, Version: version, Body: body{Text: id, Tags: feeds},
			CreatedAt: created, UpdatedAt: created.Add(time.Duration(version) * time.Second),
		},
		Feeds: feeds,
	}
}

// settled returns the feeds with their counts when nothing is pending any more.
func settled(t *testing.T, s *store) map[string]int64 {
	t.Helper()
	for quiet := 0; quiet < driver.RecountCalls; quiet++ {
		updated, err := s.Recount(t.Context())
		require.NoError(t, err)
		if len(updated) > 0 {
			quiet = -1
		}
	}
	feeds, err := s.Feeds(t.Context(), "", limits.MaxPageLimit)
	require.NoError(t, err)
	counts := make(map[string]int64, len(feeds))
	for _, feed := range feeds {
		counts[feed.Name] = feed.Count
	}
	return counts
}

// versions returns the versions of the items in a feed.
func versions(t *testing.T, s *store, feed string) map[string]int64 {
	t.Helper()
	page, err := s.Page(t.Context(), feed, "", limits.MaxPageLimit)
	require.NoError(t, err)
	items := make(map[string]int64, len(page.Items))
	for _, item := range page.Items {
		items[item.ID] = item.Version
	}
	return items
}
