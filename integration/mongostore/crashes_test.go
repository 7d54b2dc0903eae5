package mongostore_test

import (
	"database/sql"
	"fmt"
	"path/filepath"
	"sync/atomic"
	"testing"

	"modernc.org/sqlite"

	"github.com/feedmill/feedmill/adapters/mongostore"
	"github.com/feedmill/feedmill/adapters/sqlitestore"
	"github.com/feedmill/feedmill/cqrsfeed"
	"github.com/feedmill/feedmill/cqrsfeed/cqrsfeedtest"
	"github.com/feedmill/feedmill/integration/internal/servers"
)

// TestFeedStoreCrashes stops workers at every command and lets them stand still before every command.
func TestFeedStoreCrashes(t *testing.T) {
	t.Parallel()
	fresh := freshProcesses(t)
	cqrsfeedtest.TestFeedStoreCrashes(t, func(*testing.T) cqrsfeedtest.FeedStoreProcesses { return fresh() })
}

// TestPipelineCrashes does so with all that is before the feeds, on a write model in SQLite.
func TestPipelineCrashes(t *testing.T) {
	t.Parallel()
	fresh := freshProcesses(t)
	cqrsfeedtest.TestPipelineCrashes(t, func(t *testing.T) cqrsfeedtest.PipelineProcesses {
		t.Helper()
		return cqrsfeedtest.PipelineProcesses{
			Topics: cqrsfeed.TopicsOf("item"), Feeds: fresh(), WriteModel: openItems(filepath.Join(t.TempDir(), "items.db")),
		}
	})
}

// openItems opens a write model as processes have it. They make its schema when they start; one that is stopped
// in it leaves it to the next.
func openItems(path string) func(*cqrsfeedtest.Process) (cqrsfeedtest.WriteModel, func(), error) {
	return func(process *cqrsfeedtest.Process) (model cqrsfeedtest.WriteModel, closeDB func(), err error) {
		connector, err := sqlite.NewConnector(sqlitestore.DSN(path))
		if err != nil {
			return model, nil, err
		}
		db := sql.OpenDB(cqrsfeedtest.Connector(connector, process))
		closeDB = func() { _ = db.Close() }
		store, err := sqlitestore.New(db, sqlitestore.Config{})
		if err != nil {
			return model, nil, err
		}
		repository, err := sqlitestore.NewRepository[body](store, "item")
		if err != nil {
			return model, nil, err
		}
		err = store.EnsureSchema(process.Context())
		if err != nil {
			closeDB()
		}
		return cqrsfeedtest.WriteModel{Repository: repository, Outbox: store.Outbox()}, closeDB, err
	}
}

// freshProcesses returns what makes an empty store for each round: one whose counts Apply makes, one whose counts Recount
// makes, and one with some of each.
func freshProcesses(t *testing.T) func() cqrsfeedtest.FeedStoreProcesses {
	t.Helper()
	uri := servers.Mongo(t)
	healthy := connect(t, uri, nil)
	var rounds atomic.Int64
	return func() cqrsfeedtest.FeedStoreProcesses {
		round := rounds.Add(1)
		config := mongostore.FeedStoreConfig{
			CollectionPrefix: fmt.Sprintf("round%d.", round),
			CountAtOnce:      []int{0, 2, mongostore.Off}[round%3],
		}
		open(t, healthy, config)
		return cqrsfeedtest.FeedStoreProcesses{Open: openAs(uri, config)}
	}
}

// openAs opens a store as processes have it.
func openAs(uri string, config mongostore.FeedStoreConfig) func(*cqrsfeedtest.Process) (cqrsfeed.FeedStore[body], func(), error) {
	return func(process *cqrsfeedtest.Process) (cqrsfeed.FeedStore[body], func(), error) {
		db, disconnect, err := connectStepped(uri, process)
		if err != nil {
			return nil, nil, err
		}
		s, err := mongostore.NewFeedStore[body](db, config)
		return s, disconnect, err
	}
}
