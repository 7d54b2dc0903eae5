package mysqlstore_test

import (
	"path/filepath"
	"testing"

	"github.com/feedmill/feedmill/adapters/mysqlstore"
	"github.com/feedmill/feedmill/adapters/sqlitestore"
	"github.com/feedmill/feedmill/cqrsfeed"
	"github.com/feedmill/feedmill/cqrsfeed/cqrsfeedtest"
	"github.com/feedmill/feedmill/cqrsfeed/cqrsfeedtest/crashtest"
	"github.com/feedmill/feedmill/integration/internal/crashes"
	"github.com/feedmill/feedmill/integration/internal/sqlstores"
)

// TestPipelineCrashes stops writers and relays at every statement, with feeds in SQLite behind them.
func TestPipelineCrashes(t *testing.T) {
	t.Parallel()
	onEachServer(t, func(t *testing.T, s server) {
		t.Helper()
		crashtest.TestPipeline(t, func(t *testing.T) crashtest.PipelineProcesses {
			t.Helper()
			dsn := s.fresh(t)
			openRepository(t, openDB(t, dsn))
			return crashtest.PipelineProcesses{
				Topics:     topics(),
				WriteModel: crashing(t, dsn).WriteModel,
				Feeds:      sqliteFeeds(filepath.Join(t.TempDir(), "feeds.db")),
			}
		})
	})
}

// crashing is a database whose processes are stopped.
func crashing(t *testing.T, dsn string) sqlstores.Crashing {
	t.Helper()
	return sqlstores.Crashing{Connector: connector(t, dsn), New: mysqlstore.New}
}

// sqliteFeeds opens feeds in a file.
func sqliteFeeds(path string) crashtest.FeedStoreProcesses {
	return crashtest.FeedStoreProcesses{
		HoldsLocks: true,
		Open: func(process *crashtest.Process) (feeds cqrsfeed.FeedStore[cqrsfeedtest.Body], closeDB func(), err error) {
			closeDB, err = crashes.OpenSQLite(process, path, func(store *sqlitestore.Store) (err error) {
				feeds, err = sqlitestore.NewFeedStore[cqrsfeedtest.Body](store, "item")
				return err
			})
			return feeds, closeDB, err
		},
	}
}
