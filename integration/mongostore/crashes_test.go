package mongostore_test

import (
	"database/sql"
	"fmt"
	"path/filepath"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
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
	topics := cqrsfeed.Topics{Created: "item-created", Updated: "item-updated", Deleted: "item-deleted"}
	cqrsfeedtest.TestPipelineCrashes(t, func(t *testing.T) cqrsfeedtest.PipelineProcesses {
		t.Helper()
		path := filepath.Join(t.TempDir(), "items.db")
		return cqrsfeedtest.PipelineProcesses{
			Topics: topics,
			Feeds:  fresh(),
			WriteModel: func(t *testing.T, process *cqrsfeedtest.Process) (cqrsfeedtest.WriteModel, func()) {
				t.Helper()
				connector, err := sqlite.NewConnector(sqlitestore.DSN(path))
				require.NoError(t, err)
				db := sql.OpenDB(cqrsfeedtest.Connector(connector, process))
				outbox, err := sqlitestore.NewOutbox(db, sqlitestore.OutboxConfig{})
				assert.NoError(t, err)
				repository, err := sqlitestore.NewRepository[body](db, outbox, sqlitestore.RepositoryConfig{Topics: topics})
				assert.NoError(t, err)
				// Processes make their schema when they start; one that is stopped here leaves it to the next.
				_ = outbox.EnsureSchema(t.Context())
				_ = repository.EnsureSchema(t.Context())
				return cqrsfeedtest.WriteModel{Repository: repository, Outbox: outbox}, func() { assert.NoError(t, db.Close()) }
			},
		}
	})
}

// freshProcesses returns what makes an empty store for each round: with counts that Apply makes, that Recount
// makes, and some of each.
func freshProcesses(t *testing.T) func() cqrsfeedtest.FeedStoreProcesses {
	t.Helper()
	uri := servers.Mongo(t)
	healthy := connect(t, uri, nil)
	var rounds atomic.Int64
	return func() cqrsfeedtest.FeedStoreProcesses {
		round := rounds.Add(1)
		config := mongostore.FeedStoreConfig{
			CollectionPrefix: fmt.Sprintf("round%d.", round),
			CountedFeeds:     []int{0, 2, mongostore.NoCounting}[round%3],
		}
		open(t, healthy, config)
		later := config
		later.SecondLook = 1 // so that every look is due
		return cqrsfeedtest.FeedStoreProcesses{Open: openAs(uri, config), Later: openAs(uri, later)}
	}
}

// openAs opens a store as processes have it.
func openAs(uri string, config mongostore.FeedStoreConfig) func(*testing.T, *cqrsfeedtest.Process) (cqrsfeed.FeedStore[body], func()) {
	return func(t *testing.T, process *cqrsfeedtest.Process) (cqrsfeed.FeedStore[body], func()) {
		t.Helper()
		db, disconnect := connectStepped(t, uri, process)
		s, err := mongostore.NewFeedStore[body](db, config)
		assert.NoError(t, err)
		return s, disconnect
	}
}
