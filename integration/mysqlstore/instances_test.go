package mysqlstore_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/ThreeDotsLabs/watermill"
	"github.com/go-sql-driver/mysql"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"github.com/feedmill/feedmill/adapters/mongostore"
	"github.com/feedmill/feedmill/adapters/mysqlstore"
	"github.com/feedmill/feedmill/cqrsfeed/cqrsfeedtest"
	"github.com/feedmill/feedmill/integration/internal/livetest"
	"github.com/feedmill/feedmill/integration/internal/servers"
)

// TestInstances, with feeds on MongoDB and no broker.
func TestInstances(t *testing.T) {
	t.Parallel()
	onEachServer(t, func(t *testing.T, s server) {
		t.Helper()
		dsn, uri := s.fresh(t), servers.Mongo(t)
		livetest.TestInstances(t, func(tb testing.TB) livetest.Parts {
			tb.Helper()
			store := newStore(tb, openDB(tb, dsn))
			items, err := mysqlstore.NewRepository[cqrsfeedtest.Body](store, "item")
			require.NoError(tb, err)
			live, err := mysqlstore.NewLive(store, mysqlstore.LiveConfig{}, watermill.NopLogger{})
			require.NoError(tb, err)
			require.NoError(tb, store.EnsureSchema(tb.Context()))
			return livetest.Parts{Outbox: store.Outbox(), Items: items, Feeds: openFeeds(tb, uri), Live: live}
		}, func(t *testing.T) {
			t.Helper()
			killConnections(t, dsn)
		})
	})
}

func openFeeds(tb testing.TB, uri string) *mongostore.FeedStore[cqrsfeedtest.Body] {
	tb.Helper()
	client, err := mongo.Connect(options.Client().ApplyURI(uri))
	require.NoError(tb, err)
	tb.Cleanup(func() { assert.NoError(tb, client.Disconnect(context.WithoutCancel(tb.Context()))) })
	feeds, err := mongostore.NewFeedStore[cqrsfeedtest.Body](client.Database(uri[strings.LastIndex(uri, "/")+1:]), mongostore.FeedStoreConfig{Name: "item"})
	require.NoError(tb, err)
	require.NoError(tb, feeds.EnsureSchema(tb.Context()))
	return feeds
}

// noSuchThread is the number of ER_NO_SUCH_THREAD.
const noSuchThread = 1094

// killConnections ends all other connections to the database.
func killConnections(t *testing.T, dsn string) {
	t.Helper()
	db := openDB(t, dsn)
	db.SetMaxOpenConns(1)
	rows, err := db.QueryContext(t.Context(), "SELECT id FROM information_schema.processlist WHERE db = DATABASE() AND id <> CONNECTION_ID()")
	require.NoError(t, err)
	defer rows.Close()
	var kills []string
	for rows.Next() {
		var id int64
		require.NoError(t, rows.Scan(&id))
		kills = append(kills, fmt.Sprint("KILL ", id))
	}
	require.NoError(t, rows.Err())
	require.GreaterOrEqual(t, len(kills), 3)
	for _, kill := range kills {
		_, err := db.ExecContext(t.Context(), kill)
		if refused := (*mysql.MySQLError)(nil); errors.As(err, &refused) && refused.Number == noSuchThread {
			continue // It has ended in the meantime.
		}
		require.NoError(t, err)
	}
}
