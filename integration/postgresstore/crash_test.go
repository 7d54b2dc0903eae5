package postgresstore_test

import (
	"context"
	"database/sql"
	"errors"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/stdlib"
	"github.com/stretchr/testify/require"

	"github.com/feedmill/feedmill/adapters/postgresstore"
	"github.com/feedmill/feedmill/cqrsfeed"
	"github.com/feedmill/feedmill/cqrsfeed/cqrsfeedtest"
	"github.com/feedmill/feedmill/cqrsfeed/cqrsfeedtest/crashtest"
	"github.com/feedmill/feedmill/cqrsfeed/projector"
	"github.com/feedmill/feedmill/integration/internal/servers"
)

// openStepped opens a store as a process has it.
func openStepped(dsn string, process *crashtest.Process) (*postgresstore.Store, func(), error) {
	config, err := pgx.ParseConfig(dsn)
	if err != nil {
		return nil, nil, err
	}
	db := sql.OpenDB(crashtest.Connector(stdlib.GetConnector(*config), process))
	store, err := postgresstore.New(db, postgresstore.Config{})
	return store, func() { _ = db.Close() }, err
}

// feedProcesses creates the schema, and opens the feed store for processes.
func feedProcesses(t *testing.T, dsn string) crashtest.FeedStoreProcesses {
	t.Helper()
	openFeedStore(t, openDB(t, dsn))
	return crashtest.FeedStoreProcesses{
		HoldsLocks: true,
		Open: func(process *crashtest.Process) (cqrsfeed.FeedStore[cqrsfeedtest.Body], func(), error) {
			store, closeDB, err := openStepped(dsn, process)
			if err != nil {
				return nil, nil, err
			}
			feeds, err := postgresstore.NewFeedStore[cqrsfeedtest.Body](store, "item")
			return feeds, closeDB, err
		},
	}
}

func openWriteModel(dsn string) func(*crashtest.Process) (crashtest.WriteModel, func(), error) {
	return func(process *crashtest.Process) (model crashtest.WriteModel, closeDB func(), err error) {
		store, closeDB, err := openStepped(dsn, process)
		if err != nil {
			return model, nil, err
		}
		model.Outbox = store.Outbox()
		model.Repository, err = postgresstore.NewRepository[cqrsfeedtest.Body](store, "item")
		return model, closeDB, err
	}
}

// TestFeedStoreCrashes stops processes at every statement of the feed store.
func TestFeedStoreCrashes(t *testing.T) {
	t.Parallel()
	crashtest.TestFeedStore(t, func(t *testing.T) crashtest.FeedStoreProcesses {
		t.Helper()
		return feedProcesses(t, servers.Postgres(t))
	})
}

// TestPipelineCrashes stops writers, relays and projectors at every statement, all on one database.
func TestPipelineCrashes(t *testing.T) {
	t.Parallel()
	crashtest.TestPipeline(t, func(t *testing.T) crashtest.PipelineProcesses {
		t.Helper()
		dsn := servers.Postgres(t)
		openRepository(t, openDB(t, dsn))
		return crashtest.PipelineProcesses{Topics: topics(), WriteModel: openWriteModel(dsn), Feeds: feedProcesses(t, dsn)}
	})
}

// TestTableProjectionCrashes stops writers, relays and the projection's processes at every statement.
func TestTableProjectionCrashes(t *testing.T) {
	t.Parallel()
	crashtest.TestTableProjection(t, func(t *testing.T) crashtest.TableProcesses {
		t.Helper()
		dsn := servers.Postgres(t)
		db := openDB(t, dsn)
		openRepository(t, db)
		store := newStore(t, db)
		_, err := postgresstore.NewTableProjection[cqrsfeedtest.Body](store, "tag_count", unused)
		require.NoError(t, err)
		require.NoError(t, store.EnsureSchema(t.Context()))
		return crashtest.TableProcesses{DB: db, Topics: topics(), WriteModel: openWriteModel(dsn), Open: openTable(dsn)}
	})
}

// unused is the step of a projection that only makes its schema.
func unused(context.Context, *sql.Tx, *cqrsfeed.Item[cqrsfeedtest.Body], *cqrsfeed.Item[cqrsfeedtest.Body]) error {
	return errors.New("unused")
}

// openTable opens a table projection for processes.
func openTable(dsn string) func(*crashtest.Process, crashtest.TableStep) (projector.Projection, func(), error) {
	return func(process *crashtest.Process, step crashtest.TableStep) (projector.Projection, func(), error) {
		store, closeDB, err := openStepped(dsn, process)
		if err != nil {
			return nil, nil, err
		}
		p, err := postgresstore.NewTableProjection(store, "tag_count", step)
		return p, closeDB, err
	}
}
