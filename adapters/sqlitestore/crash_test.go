package sqlitestore_test

import (
	"context"
	"database/sql"
	"errors"
	"testing"

	"github.com/stretchr/testify/require"
	"modernc.org/sqlite"

	"github.com/feedmill/feedmill/adapters/sqlitestore"
	"github.com/feedmill/feedmill/cqrsfeed"
	"github.com/feedmill/feedmill/cqrsfeed/cqrsfeedtest"
	"github.com/feedmill/feedmill/cqrsfeed/cqrsfeedtest/crashtest"
	"github.com/feedmill/feedmill/cqrsfeed/projector"
)

// openStepped opens a store for a process.
func openStepped(path string, process *crashtest.Process) (*sqlitestore.Store, func(), error) {
	connector, err := sqlite.NewConnector(sqlitestore.DSN(path))
	if err != nil {
		return nil, nil, err
	}
	db := sql.OpenDB(crashtest.Connector(connector, process))
	store, err := sqlitestore.New(db, sqlitestore.Config{})
	return store, func() { _ = db.Close() }, err
}

// feedProcesses creates the schema in a file, and opens the feed store there for processes.
func feedProcesses(t *testing.T, path string) crashtest.FeedStoreProcesses {
	t.Helper()
	openFeedStore(t, openDB(t, sqlitestore.DSN(path)))
	return crashtest.FeedStoreProcesses{
		HoldsLocks: true,
		Open: func(process *crashtest.Process) (cqrsfeed.FeedStore[cqrsfeedtest.Body], func(), error) {
			store, closeDB, err := openStepped(path, process)
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
		store, closeDB, err := openStepped(path, process)
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

func TestTableProjectionCrashes(t *testing.T) {
	t.Parallel()
	crashtest.TestTableProjection(t, func(t *testing.T) crashtest.TableProcesses {
		t.Helper()
		path := freshPath(t)
		db := openDB(t, sqlitestore.DSN(path))
		openRepository(t, db)
		store := newStore(t, db)
		_, err := sqlitestore.NewTableProjection[cqrsfeedtest.Body](store, "tag_count", unused)
		require.NoError(t, err)
		require.NoError(t, store.EnsureSchema(t.Context()))
		return crashtest.TableProcesses{DB: db, Topics: topics(), WriteModel: openWriteModel(path), Open: openTable(path)}
	})
}

// unused is the step of a projection that only creates its schema.
func unused(context.Context, *sql.Tx, *cqrsfeed.Item[cqrsfeedtest.Body], *cqrsfeed.Item[cqrsfeedtest.Body]) error {
	return errors.New("unused")
}

// openTable opens a table projection in a file for processes.
func openTable(path string) func(*crashtest.Process, crashtest.TableStep) (projector.Projection, func(), error) {
	return func(process *crashtest.Process, step crashtest.TableStep) (projector.Projection, func(), error) {
		store, closeDB, err := openStepped(path, process)
		if err != nil {
			return nil, nil, err
		}
		p, err := sqlitestore.NewTableProjection(store, "tag_count", step)
		return p, closeDB, err
	}
}
