package mysqlstore_test

import (
	"database/sql"
	"path/filepath"
	"testing"

	"github.com/go-sql-driver/mysql"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"modernc.org/sqlite"

	"github.com/feedmill/feedmill/adapters/mysqlstore"
	"github.com/feedmill/feedmill/adapters/sqlitestore"
	"github.com/feedmill/feedmill/cqrsfeed"
	"github.com/feedmill/feedmill/cqrsfeed/cqrsfeedtest"
)

// TestPipelineCrashes stops writers and relays at every statement, with feeds in SQLite behind them.
func TestPipelineCrashes(t *testing.T) {
	t.Parallel()
	onEachServer(t, func(t *testing.T, s server) {
		t.Helper()
		cqrsfeedtest.TestPipelineCrashes(t, func(t *testing.T) cqrsfeedtest.PipelineProcesses {
			t.Helper()
			dsn := s.fresh(t)
			openRepository(t, openDB(t, dsn))
			return cqrsfeedtest.PipelineProcesses{
				Topics:     topics(),
				WriteModel: openWriteModel(dsn),
				Feeds:      sqliteFeeds(filepath.Join(t.TempDir(), "feeds.db")),
			}
		})
	})
}

func openWriteModel(dsn string) func(*testing.T, *cqrsfeedtest.Process) (cqrsfeedtest.WriteModel, func()) {
	return func(t *testing.T, process *cqrsfeedtest.Process) (cqrsfeedtest.WriteModel, func()) {
		t.Helper()
		config, err := mysql.ParseDSN(dsn)
		require.NoError(t, err)
		connector, err := mysql.NewConnector(config)
		require.NoError(t, err)
		db := sql.OpenDB(cqrsfeedtest.Connector(connector, process))
		outbox, err := mysqlstore.NewOutbox(db, mysqlstore.OutboxConfig{})
		assert.NoError(t, err)
		repository, err := mysqlstore.NewRepository[cqrsfeedtest.Body](db, outbox, mysqlstore.RepositoryConfig{Topics: topics()})
		assert.NoError(t, err)
		return cqrsfeedtest.WriteModel{Repository: repository, Outbox: outbox}, func() { assert.NoError(t, db.Close()) }
	}
}

// sqliteFeeds opens feeds in a file. Who opens them makes their schema, or leaves it to the next if it is stopped there.
func sqliteFeeds(path string) cqrsfeedtest.FeedStoreProcesses {
	return cqrsfeedtest.FeedStoreProcesses{
		HoldsLocks: true,
		Open: func(t *testing.T, process *cqrsfeedtest.Process) (cqrsfeed.FeedStore[cqrsfeedtest.Body], func()) {
			t.Helper()
			connector, err := sqlite.NewConnector(sqlitestore.DSN(path))
			require.NoError(t, err)
			db := sql.OpenDB(cqrsfeedtest.Connector(connector, process))
			store, err := sqlitestore.NewFeedStore[cqrsfeedtest.Body](db, sqlitestore.FeedStoreConfig{})
			assert.NoError(t, err)
			_ = store.EnsureSchema(t.Context())
			return store, func() { assert.NoError(t, db.Close()) }
		},
	}
}
