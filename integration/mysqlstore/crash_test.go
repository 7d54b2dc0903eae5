package mysqlstore_test

import (
	"database/sql"
	"path/filepath"
	"testing"

	"github.com/go-sql-driver/mysql"

	"github.com/feedmill/feedmill/adapters/mysqlstore"
	"github.com/feedmill/feedmill/adapters/sqlitestore"
	"github.com/feedmill/feedmill/cqrsfeed"
	"github.com/feedmill/feedmill/cqrsfeed/cqrsfeedtest"
	"github.com/feedmill/feedmill/cqrsfeed/cqrsfeedtest/crashtest"
	"github.com/feedmill/feedmill/integration/internal/crashes"
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
				WriteModel: openWriteModel(dsn),
				Feeds:      sqliteFeeds(filepath.Join(t.TempDir(), "feeds.db")),
			}
		})
	})
}

// openStepped opens a store as a process has it.
func openStepped(dsn string, process *crashtest.Process) (*mysqlstore.Store, func(), error) {
	config, err := mysql.ParseDSN(dsn)
	if err != nil {
		return nil, nil, err
	}
	connector, err := mysql.NewConnector(config)
	if err != nil {
		return nil, nil, err
	}
	db := sql.OpenDB(crashtest.Connector(connector, process))
	store, err := mysqlstore.New(db, mysqlstore.Config{})
	return store, func() { _ = db.Close() }, err
}

func openWriteModel(dsn string) func(*crashtest.Process) (crashtest.WriteModel, func(), error) {
	return func(process *crashtest.Process) (model crashtest.WriteModel, closeDB func(), err error) {
		store, closeDB, err := openStepped(dsn, process)
		if err != nil {
			return model, nil, err
		}
		model.Outbox = store.Outbox()
		model.Repository, err = mysqlstore.NewRepository[cqrsfeedtest.Body](store, "item")
		return model, closeDB, err
	}
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
