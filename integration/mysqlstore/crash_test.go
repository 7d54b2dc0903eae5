package mysqlstore_test

import (
	"database/sql"
	"path/filepath"
	"testing"

	"github.com/go-sql-driver/mysql"
	"modernc.org/sqlite"

	"github.com/feedmill/feedmill/adapters/mysqlstore"
	"github.com/feedmill/feedmill/adapters/sqlitestore"
	"github.com/feedmill/feedmill/cqrsfeed"
	"github.com/feedmill/feedmill/cqrsfeed/cqrsfeedtest"
	"github.com/feedmill/feedmill/cqrsfeed/cqrsfeedtest/crashtest"
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

func openWriteModel(dsn string) func(*crashtest.Process) (crashtest.WriteModel, func(), error) {
	return func(process *crashtest.Process) (model crashtest.WriteModel, closeDB func(), err error) {
		config, err := mysql.ParseDSN(dsn)
		if err != nil {
			return model, nil, err
		}
		connector, err := mysql.NewConnector(config)
		if err != nil {
			return model, nil, err
		}
		db := sql.OpenDB(crashtest.Connector(connector, process))
		store, err := mysqlstore.New(db, mysqlstore.Config{})
		if err != nil {
			return model, nil, err
		}
		model.Outbox = store.Outbox()
		model.Repository, err = mysqlstore.NewRepository[cqrsfeedtest.Body](store, "item")
		return model, func() { _ = db.Close() }, err
	}
}

// sqliteFeeds opens feeds in a file. Who opens them makes their schema, or leaves it to the next if it is stopped
// in it.
func sqliteFeeds(path string) crashtest.FeedStoreProcesses {
	return crashtest.FeedStoreProcesses{
		HoldsLocks: true,
		Open: func(process *crashtest.Process) (cqrsfeed.FeedStore[cqrsfeedtest.Body], func(), error) {
			connector, err := sqlite.NewConnector(sqlitestore.DSN(path))
			if err != nil {
				return nil, nil, err
			}
			db := sql.OpenDB(crashtest.Connector(connector, process))
			closeDB := func() { _ = db.Close() }
			store, err := sqlitestore.New(db, sqlitestore.Config{})
			if err != nil {
				return nil, nil, err
			}
			feeds, err := sqlitestore.NewFeedStore[cqrsfeedtest.Body](store, "item")
			if err != nil {
				return nil, nil, err
			}
			if err := store.EnsureSchema(process.Context()); err != nil {
				closeDB()
				return nil, nil, err
			}
			return feeds, closeDB, nil
		},
	}
}
