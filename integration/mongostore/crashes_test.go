package mongostore_test

import (
	"fmt"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/feedmill/feedmill/adapters/mongostore"
	"github.com/feedmill/feedmill/cqrsfeed"
	"github.com/feedmill/feedmill/cqrsfeed/cqrsfeedtest"
	"github.com/feedmill/feedmill/integration/internal/servers"
)

// TestFeedStoreCrashes stops workers at every command and lets them stand still before every command, for
// counts that Apply makes, that Recount makes, and some of each.
func TestFeedStoreCrashes(t *testing.T) {
	t.Parallel()
	uri := servers.Mongo(t)
	healthy := connect(t, uri, nil)
	var rounds atomic.Int64
	cqrsfeedtest.TestFeedStoreCrashes(t, func(t *testing.T) cqrsfeedtest.FeedStoreProcesses {
		t.Helper()
		round := rounds.Add(1)
		config := mongostore.FeedStoreConfig{
			CollectionPrefix: fmt.Sprintf("round%d.", round),
			CountedFeeds:     []int{0, 2, mongostore.NoCounting}[round%3],
		}
		open(t, healthy, config)
		return cqrsfeedtest.FeedStoreProcesses{
			Open: func(t *testing.T, process *cqrsfeedtest.Process) (cqrsfeed.FeedStore[body], func()) {
				t.Helper()
				return openStepped(t, uri, process, config)
			},
			Later: func(t *testing.T, process *cqrsfeedtest.Process) (cqrsfeed.FeedStore[body], func()) {
				t.Helper()
				later := config
				later.SecondLook = 1
				return openStepped(t, uri, process, later)
			},
		}
	})
}

// openStepped opens a store as a process has it.
func openStepped(t *testing.T, uri string, process *cqrsfeedtest.Process, config mongostore.FeedStoreConfig) (*store, func()) {
	t.Helper()
	db, disconnect := connectStepped(t, uri, process)
	s, err := mongostore.NewFeedStore[body](db, config)
	assert.NoError(t, err)
	return s, disconnect
}
