package feedtest

import (
	"fmt"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/feedmill/feedmill/cqrsfeed"
	"github.com/feedmill/feedmill/cqrsfeed/cqrsfeedtest/internal/model"
)

const suiteWorkers = 8

func concurrencyBehaviours() map[string]behaviour {
	return map[string]behaviour{
		"workers with shuffled, duplicated histories": func(t *testing.T, store feedStore) {
			dice := model.NewDice(t)
			changes := dice.Histories(40, 6, 8)
			deliverConcurrently(t, store, dice.Batches(append(changes, changes...), 12))
			model.Require(t, store, model.Fold(changes))

			deliverConcurrently(t, store, dice.Batches(changes, 12))
			model.Require(t, store, model.Fold(changes))
		},
		"workers on one hot item": func(t *testing.T, store feedStore) {
			dice := model.NewDice(t)
			var all []model.Change
			for range 6 {
				changes := dice.Histories(1, 24, 5)
				all = append(all, changes...)
				deliverConcurrently(t, store, dice.Batches(append(changes, changes...), 1))
				model.Require(t, store, model.Fold(all))
			}
		},
		"workers on one new feed": func(t *testing.T, store feedStore) {
			dice := model.NewDice(t)
			changes := numbered(64, "all")
			deliverConcurrently(t, store, dice.Batches(changes, 1))
			model.Require(t, store, model.Fold(changes))
		},
		"versions of new items at the same moment":  versionsAtOnce,
		"a page shows what its revision stands for": readersAndWriter,
	}
}

// deliverConcurrently applies batches by several workers, each until it succeeds.
func deliverConcurrently(t *testing.T, store cqrsfeed.FeedStore[model.Body], batches [][]model.Change) {
	t.Helper()
	queue := make(chan []model.Change)
	var workers sync.WaitGroup
	for range suiteWorkers {
		workers.Go(func() {
			for batch := range queue {
				assert.NoError(t, model.ApplyUntilDone(t.Context(), store, batch))
			}
		})
	}
	for _, batch := range batches {
		queue <- batch
	}
	close(queue)
	workers.Wait()
	require.False(t, t.Failed(), "a batch failed %d times", model.Attempts)
}

// versionsAtOnce applies several versions of new items at the same moment, one worker a version. The highest version must win.
func versionsAtOnce(t *testing.T, store feedStore) {
	var all []model.Change
	for round := range 30 {
		var batches [][]model.Change
		for version := int64(1); version <= 4; version++ {
			var batch []model.Change
			for i := range 5 {
				batch = append(batch, model.State(fmt.Sprintf("post-%02d-%d", round, i), version, i, "a", "b"))
			}
			batches = append(batches, batch)
			all = append(all, batch...)
		}
		var workers sync.WaitGroup
		start := make(chan struct{})
		for _, batch := range batches {
			workers.Go(func() {
				<-start
				assert.NoError(t, model.ApplyUntilDone(t.Context(), store, batch))
			})
		}
		close(start)
		workers.Wait()
	}
	model.Require(t, store, model.Fold(all))
}

// readersAndWriter reads pages while versions of an item are applied. No reader may see an item go back. A page must show
// what was announced before.
func readersAndWriter(t *testing.T, store feedStore) {
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
		announced := model.Apply(t, store, model.State("post-1", version+1, 0, "a"))["a"]
		page := model.Page(t, store, "a", "", 10)
		require.GreaterOrEqual(t, page.Feed.Revision, announced)
		require.Equal(t, version+1, page.Items[0].Version)
	}
	close(written)
	readers.Wait()
}
