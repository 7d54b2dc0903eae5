// Package parts opens the microblog's parts in combinations that its command does not offer.
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

// OpenSQLite opens the stores in a file. The returned parts have no broker.
func OpenSQLite(t *testing.T, file string) (parts app.Parts, closeStores func() error) {
	t.Helper()
	db, err := sql.Open("sqlite", sqlitestore.DSN(file))
	require.NoError(t, err)
	store, err := sqlitestore.New(db, sqlitestore.Config{})
	require.NoError(t, err)
	posts, err := sqlitestore.NewRepository[post.Post](store, "post")
	require.NoError(t, err)
	feeds, err := sqlitestore.NewFeedStore[post.Post](store, "post")
	require.NoError(t, err)
	require.NoError(t, store.EnsureSchema(t.Context()))
	metrics, err := app.NewMetrics()
	require.NoError(t, err)
	return app.Parts{
		Posts: posts, Outbox: store.Outbox(), Feeds: feeds, Checks: []func(context.Context) error{db.PingContext}, Metrics: metrics,
	}, db.Close
}
