package cqrsfeedtest

import (
	"context"
	"fmt"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/feedmill/feedmill/cqrsfeed"
	"github.com/feedmill/feedmill/cqrsfeed/cqrsfeedtest/internal/feedmodel"
)

const (
	suiteWorkers = 8
	// suiteAttempts is how often a worker repeats a batch that failed, as redelivery would.
	suiteAttempts = 20
)

func concurrencyBehaviours() map[string]func(*testing.T, openFeedStore) {
	return map[string]func(*testing.T, openFeedStore){
		"workers with shuffled, duplicated histories": func(t *testing.T, open openFeedStore) {
			store := open(t)
			dice := feedmodel.NewDice(t)
			changes := dice.Histories(40, 6, 8)
			deliverConcurrently(t, store, dice.Batches(append(changes, changes...), 12))
			feedmodel.Require(t, store, feedmodel.Fold(changes))

			deliverConcurrently(t, store, dice.Batches(changes, 12))
			feedmodel.Require(t, store, feedmodel.Fold(changes))
		},
		"workers on one hot item": func(t *testing.T, open openFeedStore) {
			store := open(t)
			dice := feedmodel.NewDice(t)
			var all []change
			for range 6 {
				changes := dice.Histories(1, 24, 5)
				all = append(all, changes...)
				deliverConcurrently(t, store, dice.Batches(append(changes, changes...), 1))
				feedmodel.Require(t, store, feedmodel.Fold(all))
			}
		},
		"workers on one new feed": func(t *testing.T, open openFeedStore) {
			store := open(t)
			dice := feedmodel.NewDice(t)
			changes := numbered(64, "all")
			deliverConcurrently(t, store, dice.Batches(changes, 1))
			feedmodel.Require(t, store, feedmodel.Fold(changes))
		},
		"versions of new items at the same moment":  versionsAtOnce,
		"a page shows what its revision stands for": readersAndWriter,
	}
}

// deliverConcurrently has several workers apply batches, each until it succeeds.
func deliverConcurrently(t *testing.T, store cqrsfeed.FeedStore[Body], batches [][]change) {
	t.Helper()
	queue := make(chan []change)
	var workers sync.WaitGroup
	for range suiteWorkers {
		workers.Go(func() {
			for batch := range queue {
				assert.NoError(t, applyUntilDone(t.Context(), store, batch))
			}
		})
	}
	for _, batch := range batches {
		queue <- batch
	}
	close(queue)
	workers.Wait()
	require.False(t, t.Failed(), "a batch failed %d times", suiteAttempts)
}

func applyUntilDone(ctx context.Context, store cqrsfeed.FeedStore[Body], batch []change) error {
	var err error
	for range suiteAttempts {
		if _, err = store.Apply(ctx, batch); err == nil {
			return nil
		}
	}
	return err
}

// versionsAtOnce applies several versions of new items at the same moment, each by a worker of its own. The highest
// version must win, whichever write is first.
func versionsAtOnce(t *testing.T, open openFeedStore) {
	store := open(t)
	var all []change
	for round := range 30 {
		var batches [][]change
		for version := int64(1); version <= 4; version++ {
			var batch []change
			for i := range 5 {
				batch = append(batch, state(fmt.Sprintf("post-%02d-%d", round, i), version, i, "a", "b"))
			}
			batches = append(batches, batch)
			all = append(all, batch...)
		}
		var workers sync.WaitGroup
		start := make(chan struct{})
		for _, batch := range batches {
			workers.Go(func() {
				<-start
				assert.NoError(t, applyUntilDone(t.Context(), store, batch))
			})
		}
		close(start)
		workers.Wait()
	}
	feedmodel.Require(t, store, feedmodel.Fold(all))
}

// readersAndWriter reads pages while versions of an item are applied. No reader may see an item go back, and a page must
// have what was announced before.
func readersAndWriter(t *testing.T, open openFeedStore) {
	store := open(t)
	const versions = 60
	written := make(chan struct{})
	var readers sync.WaitGroup
	for range 3 {
		readers.Go(func() {
			var lastVersion int64
			for done := false; !done; {
				select {
				case <-written:
					done = true // one last read
				default:
				}
				page, err := store.Page(t.Context(), "a", "", 10)
				if err != nil {
					t.Errorf("read a page: %v", err)
					return
				}
				if len(page.Items) == 0 {
					continue
				}
				version := page.Items[0].Version
				assert.GreaterOrEqual(t, version, lastVersion, "an item never goes back")
				lastVersion = version
			}
			assert.Equal(t, int64(versions), lastVersion)
		})
	}
	for version := range int64(versions) {
		announced := apply(t, store, state("post-1", version+1, 0, "a"))["a"]
		page, err := store.Page(t.Context(), "a", "", 10)
		require.NoError(t, err)
		require.GreaterOrEqual(t, page.Feed.Revision, announced)
		require.Equal(t, version+1, page.Items[0].Version)
	}
	close(written)
	readers.Wait()
}
