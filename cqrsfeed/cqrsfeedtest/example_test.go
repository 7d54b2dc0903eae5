package cqrsfeedtest_test

import (
	"context"
	"database/sql"
	"encoding/json"
	"path/filepath"
	"testing"

	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/stretchr/testify/require"
	_ "modernc.org/sqlite"

	"github.com/feedmill/feedmill/adapters/sqlitestore"
	"github.com/feedmill/feedmill/cqrsfeed"
	"github.com/feedmill/feedmill/cqrsfeed/cqrsfeedtest"
	"github.com/feedmill/feedmill/cqrsfeed/cqrsfeedtest/feedtest"
	"github.com/feedmill/feedmill/cqrsfeed/cqrsfeedtest/outboxtest"
	"github.com/feedmill/feedmill/cqrsfeed/cqrsfeedtest/readmodeltest"
	"github.com/feedmill/feedmill/cqrsfeed/cqrsfeedtest/repositorytest"
	"github.com/feedmill/feedmill/cqrsfeed/readmodel"
)

// The tests of an adapter, here of sqlitestore, are one call each.
func Example() {
	testFeedStore := func(t *testing.T) {
		feedtest.TestFeedStore(t, func(t *testing.T) cqrsfeed.FeedStore[cqrsfeedtest.Body] { return openFeeds(t) })
	}
	testRebuild := func(t *testing.T) {
		readmodeltest.TestRebuild(t, func(t *testing.T) readmodel.Store[cqrsfeedtest.Body] { return openFeeds(t) })
	}
	testRepository := func(t *testing.T) { repositorytest.TestRepository(t, openRepository) }
	testOutbox := func(t *testing.T) { outboxtest.TestOutbox(t, openOutbox) }

	_ = []func(*testing.T){testFeedStore, testRebuild, testRepository, testOutbox} // go test calls them
	// Output:
}

// newStore opens a store in the file of a test.
func newStore(t *testing.T, path string) *sqlitestore.Store {
	db, err := sql.Open("sqlite", sqlitestore.DSN(path))
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, db.Close()) })
	store, err := sqlitestore.New(db, sqlitestore.Config{})
	require.NoError(t, err)
	return store
}

func openFeeds(t *testing.T) *sqlitestore.FeedStore[cqrsfeedtest.Body] {
	store := newStore(t, filepath.Join(t.TempDir(), "feeds.db"))
	feeds, err := sqlitestore.NewFeedStore[cqrsfeedtest.Body](store, "item")
	require.NoError(t, err)
	require.NoError(t, store.EnsureSchema(t.Context()))
	return feeds
}

func openRepository(t *testing.T) repositorytest.Fixture {
	path := filepath.Join(t.TempDir(), "items.db")
	store := newStore(t, path)
	repository, err := sqlitestore.NewRepository[cqrsfeedtest.Body](store, "item")
	require.NoError(t, err)
	raw, err := sqlitestore.NewRepository[json.RawMessage](newStore(t, path), "item") // as another release has it
	require.NoError(t, err)
	require.NoError(t, store.EnsureSchema(t.Context()))
	return repositorytest.Fixture{Repository: repository, Raw: raw, Outbox: store.Outbox(), Topics: cqrsfeed.TopicsOf("item")}
}

func openOutbox(t *testing.T) outboxtest.Fixture {
	path := filepath.Join(t.TempDir(), "outbox.db")
	store := newStore(t, path)
	require.NoError(t, store.EnsureSchema(t.Context()))
	return outboxtest.Fixture{
		Outbox: store.Outbox(),
		Other:  newStore(t, path).Outbox(), // as another process opens it
		Transaction: func(ctx context.Context, do func(message.Publisher) error) error {
			return store.InTx(ctx, func(tx *sql.Tx) error { return do(store.Outbox().Publisher(tx)) })
		},
		Restart: func(t *testing.T) {
			err := store.InTx(t.Context(), func(tx *sql.Tx) error {
				_, err := tx.ExecContext(t.Context(), "DELETE FROM outbox; DELETE FROM sqlite_sequence WHERE name = 'outbox'")
				return err
			})
			require.NoError(t, err)
		},
	}
}
