// Package parts opens what the microblog stands on in ways that its command does not offer.
package parts

import (
	"context"
	"database/sql"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/feedmill/feedmill/adapters/sqlitestore"
	"github.com/feedmill/feedmill/examples/microblog/app"
	"github.com/feedmill/feedmill/examples/microblog/post"
)

// OpenSQLite opens the stores in a file. What is missing in the parts is the broker.
func OpenSQLite(t *testing.T, file string) (parts app.Parts, closeStores func() error) {
	t.Helper()
	db, err := sql.Open("sqlite", sqlitestore.DSN(file))
	require.NoError(t, err)
	outbox, err := sqlitestore.NewOutbox(db, sqlitestore.OutboxConfig{})
	require.NoError(t, err)
	posts, err := sqlitestore.NewRepository[post.Post](db, outbox, sqlitestore.RepositoryConfig{Table: "posts", Topics: app.Topics()})
	require.NoError(t, err)
	feeds, err := sqlitestore.NewFeedStore[post.Post](db, sqlitestore.FeedStoreConfig{})
	require.NoError(t, err)
	for _, ensure := range []func(context.Context) error{outbox.EnsureSchema, posts.EnsureSchema, feeds.EnsureSchema} {
		require.NoError(t, ensure(t.Context()))
	}
	return app.Parts{Posts: posts, Outbox: outbox, Feeds: feeds, Ping: db.PingContext}, db.Close
}
