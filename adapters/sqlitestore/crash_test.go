package sqlitestore_test

import (
	"database/sql"
	"testing"

	"modernc.org/sqlite"

	"github.com/feedmill/feedmill/adapters/sqlitestore"
	"github.com/feedmill/feedmill/cqrsfeed"
	"github.com/feedmill/feedmill/cqrsfeed/cqrsfeedtest"
	"github.com/feedmill/feedmill/cqrsfeed/cqrsfeedtest/crashtest"
)

// openStepped opens a file as a process has it.
func openStepped(path string, process *crashtest.Process) (*sql.DB, func(), error) {
	connector, err := sqlite.NewConnector(sqlitestore.DSN(path))
	if err != nil {
		return nil, nil, err
	}
	db := sql.OpenDB(crashtest.Connector(connector, process))
	return db, func() { _ = db.Close() }, nil
}

// feedProcesses makes the schema in a file, and opens the feed store there for processes.
func feedProcesses(t *testing.T, path string) crashtest.FeedStoreProcesses {
	t.Helper()
	openFeedStore(t, openDB(t, sqlitestore.DSN(path)))
	return crashtest.FeedStoreProcesses{
		HoldsLocks: true,
		Open: func(process *crashtest.Process) (cqrsfeed.FeedStore[cqrsfeedtest.Body], func(), error) {
			db, closeDB, err := openStepped(path, process)
			if err != nil {
				return nil, nil, err
			}
			store, err := sqlitestore.New(db, sqlitestore.Config{})
			if err != nil {
				return nil, nil, err
			}
			feeds, err := sqlitestore.NewFeedStore[cqrsfeedtest.Body](store, "item")
			return feeds, closeDB, err
		},
	}
}

// openWriteModel opens the repository and the outbox in a file for processes.
func openWriteModel(path string) func(*crashtest.Process) (crashtest.WriteModel, func(), error) {
	return func(process *crashtest.Process) (model crashtest.WriteModel, closeDB func(), err error) {
		db, closeDB, err := openStepped(path, process)
		if err != nil {
			return model, nil, err
		}
		store, err := sqlitestore.New(db, sqlitestore.Config{})
		if err != nil {
			return model, nil, err
		}
		model.Outbox = store.Outbox()
		model.Repository, err = sqlitestore.NewRepository[cqrsfeedtest.Body](store, "item")
		return model, closeDB, err
	}
}

func TestFeedStoreCrashes(t *testing.T) {
	t.Parallel()
	crashtest.TestFeedStore(t, func(t *testing.T) crashtest.FeedStoreProcesses {
		t.Helper()
		return feedProcesses(t, freshPath(t))
	})
}

func TestPipelineCrashes(t *testing.T) {
	t.Parallel()
	crashtest.TestPipeline(t, func(t *testing.T) crashtest.PipelineProcesses {
		t.Helper()
		path := freshPath(t)
		openRepository(t, openDB(t, sqlitestore.DSN(path)))
		return crashtest.PipelineProcesses{Topics: topics(), WriteModel: openWriteModel(path), Feeds: feedProcesses(t, path)}
	})
}
