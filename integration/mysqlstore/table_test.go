package mysqlstore_test

import (
	"context"
	"database/sql"
	"errors"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/feedmill/feedmill/adapters/mysqlstore"
	"github.com/feedmill/feedmill/cqrsfeed"
	"github.com/feedmill/feedmill/cqrsfeed/cqrsfeedtest"
	"github.com/feedmill/feedmill/cqrsfeed/cqrsfeedtest/crashtest"
	"github.com/feedmill/feedmill/cqrsfeed/cqrsfeedtest/tabletest"
	"github.com/feedmill/feedmill/cqrsfeed/projector"
)

func TestTableProjection(t *testing.T) {
	t.Parallel()
	withEachSettings(t, func(t *testing.T, fresh func(t *testing.T) string) {
		t.Helper()
		tabletest.TestProjection(t, func(t *testing.T) tabletest.Fixture {
			t.Helper()
			db := openDB(t, fresh(t))
			store := newStore(t, db)
			return tabletest.Fixture{DB: db, New: func(name string, step tabletest.Step) tabletest.Projection {
				p, err := mysqlstore.NewTableProjection(store, name, step)
				require.NoError(t, err)
				require.NoError(t, store.EnsureSchema(t.Context()))
				return p
			}}
		})
	})
}

// TestTableProjectionCrashes stops writers, relays and the projection's processes at every statement.
func TestTableProjectionCrashes(t *testing.T) {
	t.Parallel()
	onEachServer(t, func(t *testing.T, s server) {
		t.Helper()
		crashtest.TestTableProjection(t, func(t *testing.T) crashtest.TableProcesses {
			t.Helper()
			dsn := s.fresh(t)
			db := openDB(t, dsn)
			openRepository(t, db)
			store := newStore(t, db)
			_, err := mysqlstore.NewTableProjection[cqrsfeedtest.Body](store, "tag_count", unused)
			require.NoError(t, err)
			require.NoError(t, store.EnsureSchema(t.Context()))
			return crashtest.TableProcesses{DB: db, Topics: topics(), WriteModel: openWriteModel(dsn), Open: openTable(dsn)}
		})
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
		p, err := mysqlstore.NewTableProjection(store, "tag_count", step)
		return p, closeDB, err
	}
}
