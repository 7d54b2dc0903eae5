package sqlitestore_test

import (
	"database/sql"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
	_ "modernc.org/sqlite"

	"github.com/feedmill/feedmill/adapters/sqlitestore"
	"github.com/feedmill/feedmill/cqrsfeed"
	"github.com/feedmill/feedmill/cqrsfeed/cqrsfeedtest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func topics() cqrsfeed.Topics { return cqrsfeed.TopicsOf("item") }

func freshPath(t *testing.T) string {
	t.Helper()
	return filepath.Join(t.TempDir(), "a path with 100% odd? characters #.db")
}

func openDB(tb testing.TB, dsn string) *sql.DB {
	tb.Helper()
	db, err := sql.Open("sqlite", dsn)
	require.NoError(tb, err)
	tb.Cleanup(func() { require.NoError(tb, db.Close()) })
	return db
}

func openFile(t *testing.T) *sql.DB {
	t.Helper()
	return openDB(t, sqlitestore.DSN(freshPath(t)))
}

// openPlain has neither a busy timeout nor a write-ahead log.
func openPlain(t *testing.T) *sql.DB {
	t.Helper()
	return openDB(t, filepath.Join(t.TempDir(), "plain.db"))
}

func openMemory(t *testing.T) *sql.DB {
	t.Helper()
	db := openDB(t, sqlitestore.DSN(":memory:"))
	db.SetMaxOpenConns(1)
	return db
}

func newStore(t *testing.T, db *sql.DB) *sqlitestore.Store {
	t.Helper()
	store, err := sqlitestore.New(db, sqlitestore.Config{})
	require.NoError(t, err)
	return store
}

func openOutbox(t *testing.T, db *sql.DB) *sqlitestore.Outbox {
	t.Helper()
	store := newStore(t, db)
	require.NoError(t, store.EnsureSchema(t.Context()))
	return store.Outbox()
}

func openRepository(t *testing.T, db *sql.DB) (*sqlitestore.Repository[cqrsfeedtest.Body], *sqlitestore.Outbox) {
	t.Helper()
	store := newStore(t, db)
	repository, err := sqlitestore.NewRepository[cqrsfeedtest.Body](store, "item")
	require.NoError(t, err)
	require.NoError(t, store.EnsureSchema(t.Context()))
	return repository, store.Outbox()
}

func openFeedStore(t *testing.T, db *sql.DB) *sqlitestore.FeedStore[cqrsfeedtest.Body] {
	t.Helper()
	store := newStore(t, db)
	feeds, err := sqlitestore.NewFeedStore[cqrsfeedtest.Body](store, "item")
	require.NoError(t, err)
	require.NoError(t, store.EnsureSchema(t.Context()))
	return feeds
}
