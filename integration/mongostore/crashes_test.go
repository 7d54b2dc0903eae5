package mongostore_test

import (
	"fmt"
	"path/filepath"
	"sync/atomic"
	"testing"

	"github.com/feedmill/feedmill/adapters/mongostore"
	"github.com/feedmill/feedmill/adapters/sqlitestore"
	"github.com/feedmill/feedmill/cqrsfeed"
	"github.com/feedmill/feedmill/cqrsfeed/cqrsfeedtest/crashtest"
	"github.com/feedmill/feedmill/integration/internal/crashes"
	"github.com/feedmill/feedmill/integration/internal/servers"
)

// TestFeedStoreCrashes stops workers at every command and lets them stand still before every command.
func TestFeedStoreCrashes(t *testing.T) {
	t.Parallel()
	fresh := freshProcesses(t)
	crashtest.TestFeedStore(t, func(*testing.T) crashtest.FeedStoreProcesses { return fresh() })
}

// TestPipelineCrashes also stops the write model, the relay and the projector. The write model is in SQLite.
func TestPipelineCrashes(t *testing.T) {
	t.Parallel()
	fresh := freshProcesses(t)
	crashtest.TestPipeline(t, func(t *testing.T) crashtest.PipelineProcesses {
		t.Helper()
		return crashtest.PipelineProcesses{
			Topics: cqrsfeed.TopicsOf("item"), Feeds: fresh(), WriteModel: openItems(filepath.Join(t.TempDir(), "items.db")),
		}
	})
}

// openItems opens the write model of a process.
func openItems(path string) func(*crashtest.Process) (crashtest.WriteModel, func(), error) {
	return func(process *crashtest.Process) (model crashtest.WriteModel, closeDB func(), err error) {
		closeDB, err = crashes.OpenSQLite(process, path, func(store *sqlitestore.Store) (err error) {
			model.Outbox = store.Outbox()
			model.Repository, err = sqlitestore.NewRepository[body](store, "item")
			return err
		})
		return model, closeDB, err
	}
}

// freshProcesses returns what makes an empty store for each round: one whose counts Apply makes, one whose counts Recount
// makes, and one with some of each.
func freshProcesses(t *testing.T) func() crashtest.FeedStoreProcesses {
	t.Helper()
	uri := servers.Mongo(t)
	healthy := connect(t, uri, nil)
	var rounds atomic.Int64
	return func() crashtest.FeedStoreProcesses {
		round := rounds.Add(1)
		config := mongostore.FeedStoreConfig{
			Name:        fmt.Sprintf("round%d", round),
			CountAtOnce: []int{0, 2, mongostore.Off}[round%3],
		}
		open(t, healthy, config)
		return crashtest.FeedStoreProcesses{Open: openAs(uri, config)}
	}
}

// openAs opens the store of a process.
func openAs(uri string, config mongostore.FeedStoreConfig) func(*crashtest.Process) (cqrsfeed.FeedStore[body], func(), error) {
	return func(process *crashtest.Process) (cqrsfeed.FeedStore[body], func(), error) {
		db, disconnect, err := connectStepped(uri, process)
		if err != nil {
			return nil, nil, err
		}
		s, err := mongostore.NewFeedStore[body](db, config)
		return s, disconnect, err
	}
}
