package sqlitestore_test

import (
	"context"
	"database/sql"
	"encoding/json"
	"testing"

	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/stretchr/testify/require"
	"modernc.org/sqlite"

	"github.com/feedmill/feedmill/adapters/internal/sqlstore/sqlstoretest"
	"github.com/feedmill/feedmill/adapters/sqlitestore"
	"github.com/feedmill/feedmill/cqrsfeed"
	"github.com/feedmill/feedmill/cqrsfeed/cqrsfeedtest"
	"github.com/feedmill/feedmill/cqrsfeed/cqrsfeedtest/feedtest"
	"github.com/feedmill/feedmill/cqrsfeed/cqrsfeedtest/ordertest"
	"github.com/feedmill/feedmill/cqrsfeed/cqrsfeedtest/outboxtest"
	"github.com/feedmill/feedmill/cqrsfeed/cqrsfeedtest/repositorytest"
)

// withEachSettings runs test with each way to open a database.
func withEachSettings(t *testing.T, test func(t *testing.T, open func(t *testing.T) *sql.DB)) {
	t.Helper()
	for name, open := range map[string]func(t *testing.T) *sql.DB{
		"recommended settings":  openFile,
		"the driver's defaults": openPlain,
		"in memory":             openMemory,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			test(t, open)
		})
	}
}

func TestRepository(t *testing.T) {
	t.Parallel()
	withEachSettings(t, func(t *testing.T, open func(t *testing.T) *sql.DB) {
		t.Helper()
		repositorytest.TestRepository(t, func(t *testing.T) repositorytest.Fixture {
			t.Helper()
			return repositoryFixture(t, open(t))
		})
	})
}

func TestFeedStore(t *testing.T) {
	t.Parallel()
	for name, open := range map[string]func(t *testing.T) *sql.DB{
		"recommended settings": openFile,
		"in memory":            openMemory,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			feedtest.TestFeedStore(t, func(t *testing.T) cqrsfeed.FeedStore[cqrsfeedtest.Body] {
				t.Helper()
				return openFeedStore(t, open(t))
			})
		})
	}
}

func TestUnions(t *testing.T) {
	t.Parallel()
	feedtest.TestUnions(t, func(t *testing.T) cqrsfeed.UnionStore[cqrsfeedtest.Body] {
		t.Helper()
		return openFeedStore(t, openFile(t))
	})
}

func repositoryFixture(t *testing.T, db *sql.DB) repositorytest.Fixture {
	t.Helper()
	repository, outbox := openRepository(t, db)
	raw, err := sqlitestore.NewRepository[json.RawMessage](newStore(t, db), "item")
	require.NoError(t, err)
	return repositorytest.Fixture{Repository: repository, Raw: raw, Outbox: outbox, Topics: topics()}
}

func TestOutbox(t *testing.T) {
	t.Parallel()
	outboxtest.TestOutbox(t, func(t *testing.T) outboxtest.Fixture {
		t.Helper()
		path := freshPath(t)
		connector, err := sqlite.NewConnector(sqlitestore.DSN(path))
		require.NoError(t, err)
		faults := &sqlstoretest.Faults{}
		db := faults.Open(connector)
		t.Cleanup(func() { require.NoError(t, db.Close()) })
		store := newStore(t, db)
		require.NoError(t, store.EnsureSchema(t.Context()))
		return outboxtest.Fixture{
			Before: func(do func(statement string)) {
				faults.Decide(func(statement string, execute func() error) error {
					do(statement)
					return execute()
				})
			},
			Outbox: store.Outbox(),
			Other:  openOutbox(t, openDB(t, sqlitestore.DSN(path))),
			Restart: func(t *testing.T) {
				t.Helper()
				_, err := db.ExecContext(t.Context(), "DELETE FROM outbox; DELETE FROM sqlite_sequence WHERE name = 'outbox'")
				require.NoError(t, err)
			},
			Transaction: func(ctx context.Context, do func(message.Publisher) error) error {
				return store.InTx(ctx, func(tx *sql.Tx) error { return do(store.Outbox().Publisher(tx)) })
			},
		}
	})
}

func TestOrder(t *testing.T) {
	t.Parallel()
	path := freshPath(t)
	open := func() (*sqlitestore.Repository[string], *sqlitestore.Outbox) {
		store, err := sqlitestore.New(openDB(t, sqlitestore.DSN(path)), sqlitestore.Config{Topics: cqrsfeed.PartitionsOf})
		require.NoError(t, err)
		repository, err := sqlitestore.NewRepository[string](store, "item")
		require.NoError(t, err)
		require.NoError(t, store.EnsureSchema(t.Context()))
		return repository, store.Outbox()
	}
	repository, outbox := open()
	_, other := open()
	ordertest.TestOrder(t, ordertest.Fixture{
		Repository: repository, Topics: repository.Topics(), Outbox: outbox, Other: other,
	})
}
