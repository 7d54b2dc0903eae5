package sqlitestore_test

import (
	"database/sql"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"modernc.org/sqlite"

	"github.com/feedmill/feedmill/adapters/sqlitestore"
	"github.com/feedmill/feedmill/cqrsfeed"
	"github.com/feedmill/feedmill/cqrsfeed/cqrsfeedtest"
)

// openStepped opens the file as a process has it.
func openStepped(t *testing.T, path string, process *cqrsfeedtest.Process) (db *sql.DB, closeDB func()) {
	t.Helper()
	connector, err := sqlite.NewConnector(sqlitestore.DSN(path))
	require.NoError(t, err)
	db = sql.OpenDB(cqrsfeedtest.Connector(connector, process))
	return db, func() { assert.NoError(t, db.Close()) }
}

// feedProcesses makes the schema in a file, and opens the feed store there for processes.
func feedProcesses(t *testing.T, path string) cqrsfeedtest.FeedStoreProcesses {
	t.Helper()
	openFeedStore(t, openDB(t, sqlitestore.DSN(path)))
	return cqrsfeedtest.FeedStoreProcesses{
		HoldsLocks: true,
		Open: func(t *testing.T, process *cqrsfeedtest.Process) (cqrsfeed.FeedStore[cqrsfeedtest.Body], func()) {
			t.Helper()
			db, closeDB := openStepped(t, path, process)
			store, err := sqlitestore.NewFeedStore[cqrsfeedtest.Body](db, sqlitestore.FeedStoreConfig{})
			assert.NoError(t, err)
			return store, closeDB
		},
	}
}

func TestFeedStoreCrashes(t *testing.T) {
	t.Parallel()
	cqrsfeedtest.TestFeedStoreCrashes(t, func(t *testing.T) cqrsfeedtest.FeedStoreProcesses {
		t.Helper()
		return feedProcesses(t, freshPath(t))
	})
}

func TestPipelineCrashes(t *testing.T) {
	t.Parallel()
	cqrsfeedtest.TestPipelineCrashes(t, func(t *testing.T) cqrsfeedtest.PipelineProcesses {
		t.Helper()
		path := freshPath(t)
		openRepository(t, openDB(t, sqlitestore.DSN(path)))
		return cqrsfeedtest.PipelineProcesses{
			Topics: topics(),
			Feeds:  feedProcesses(t, path),
			WriteModel: func(t *testing.T, process *cqrsfeedtest.Process) (cqrsfeedtest.WriteModel, func()) {
				t.Helper()
				db, closeDB := openStepped(t, path, process)
				outbox, err := sqlitestore.NewOutbox(db, sqlitestore.OutboxConfig{})
				assert.NoError(t, err)
				repository, err := sqlitestore.NewRepository[cqrsfeedtest.Body](db, outbox, sqlitestore.RepositoryConfig{Topics: topics()})
				assert.NoError(t, err)
				return cqrsfeedtest.WriteModel{Repository: repository, Outbox: outbox}, closeDB
			},
		}
	})
}
