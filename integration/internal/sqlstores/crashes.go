package sqlstores

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/feedmill/feedmill/adapters/postgresstore"
	"github.com/feedmill/feedmill/cqrsfeed"
	"github.com/feedmill/feedmill/cqrsfeed/cqrsfeedtest"
	"github.com/feedmill/feedmill/cqrsfeed/cqrsfeedtest/crashtest"
	"github.com/feedmill/feedmill/cqrsfeed/projector"
)

// Crashing is a database on which processes are stopped at every statement.
type Crashing struct {
	Connector driver.Connector
	New       func(db *sql.DB, config postgresstore.Config) (*Store, error)
}

// Open opens a store as a process has it.
func (c Crashing) Open(process *crashtest.Process) (*Store, func(), error) {
	db := sql.OpenDB(crashtest.Connector(c.Connector, process))
	store, err := c.New(db, postgresstore.Config{})
	return store, func() { _ = db.Close() }, err
}

// WriteModel opens a repository, whose schema exists, and its outbox.
func (c Crashing) WriteModel(process *crashtest.Process) (model crashtest.WriteModel, closeDB func(), err error) {
	store, closeDB, err := c.Open(process)
	if err != nil {
		return model, nil, err
	}
	model.Outbox = store.Outbox()
	model.Repository, err = postgresstore.NewRepository[cqrsfeedtest.Body](store, "item")
	return model, closeDB, err
}

// FeedStore opens a feed store, whose schema exists. The database is PostgreSQL.
func (c Crashing) FeedStore(process *crashtest.Process) (cqrsfeed.FeedStore[cqrsfeedtest.Body], func(), error) {
	store, closeDB, err := c.Open(process)
	if err != nil {
		return nil, nil, err
	}
	feeds, err := postgresstore.NewFeedStore[cqrsfeedtest.Body](store, "item")
	return feeds, closeDB, err
}

// Tables ensures the schema of a write model and of a table projection, and opens both for processes.
func (c Crashing) Tables(t *testing.T) crashtest.TableProcesses {
	t.Helper()
	db := Keep(t, sql.OpenDB(c.Connector))
	store, err := c.New(db, postgresstore.Config{})
	require.NoError(t, err)
	_, err = postgresstore.NewRepository[cqrsfeedtest.Body](store, "item")
	require.NoError(t, err)
	_, err = postgresstore.NewTableProjection[cqrsfeedtest.Body](store, "tag_count", unused)
	require.NoError(t, err)
	require.NoError(t, store.EnsureSchema(t.Context()))
	return crashtest.TableProcesses{DB: db, Topics: cqrsfeed.TopicsOf("item"), WriteModel: c.WriteModel, Open: c.openTable}
}

// unused is the step of a projection that only makes its schema.
func unused(context.Context, *sql.Tx, *cqrsfeed.Item[cqrsfeedtest.Body], *cqrsfeed.Item[cqrsfeedtest.Body]) error {
	return errors.New("unused")
}

func (c Crashing) openTable(process *crashtest.Process, step crashtest.TableStep) (projector.Projection, func(), error) {
	store, closeDB, err := c.Open(process)
	if err != nil {
		return nil, nil, err
	}
	p, err := postgresstore.NewTableProjection(store, "tag_count", step)
	return p, closeDB, err
}
