package repositorytest

import (
	"fmt"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/feedmill/feedmill/cqrsfeed"
	"github.com/feedmill/feedmill/cqrsfeed/cqrsfeedtest/internal/model"
	"github.com/feedmill/feedmill/cqrsfeed/cqrsfeedtest/internal/outboxes"
)

// testHotItems has many writers append to few items. Each append must make one version, and each version one event, whose
// states fit together.
func testHotItems(t *testing.T, f Fixture) {
	const writers, hot, rounds = 16, 4, 5
	ids := make([]string, hot)
	for i := range ids {
		ids[i] = fmt.Sprintf("hot-%d", i)
		_, err := f.Repository.Create(t.Context(), ids[i], model.Body{})
		require.NoError(t, err)
	}
	var running sync.WaitGroup
	for writer := range writers {
		running.Go(func() {
			for round := range rounds {
				for i := range ids {
					id := ids[(writer+i)%hot]
					_, err := f.Repository.Update(t.Context(), id, func(body *model.Body) error {
						body.Tags = append(body.Tags, fmt.Sprintf("%d/%d", writer, round))
						return nil
					})
					assert.NoError(t, err)
				}
			}
		})
	}
	running.Wait()

	const last = 1 + writers*rounds
	for _, id := range ids {
		item := f.mustGet(t, id)
		assert.Equal(t, int64(last), item.Version)
		seen := map[string]bool{}
		for _, tag := range item.Body.Tags {
			seen[tag] = true
		}
		assert.Len(t, seen, writers*rounds, "an update of item %s was lost", id)
	}

	states := map[string]map[int64]cqrsfeed.Item[model.Body]{}
	events := outboxes.DrainAll(t, f.Outbox)
	for _, m := range events {
		item, err := cqrsfeed.DecodeItem[model.Body](m.Message)
		require.NoError(t, err)
		if states[item.ID] == nil {
			states[item.ID] = map[int64]cqrsfeed.Item[model.Body]{}
		}
		assert.NotContains(t, states[item.ID], item.Version, "two events for one version of %s", item.ID)
		states[item.ID][item.Version] = item
	}
	for _, m := range events {
		if m.Topic == f.Topics.Updated {
			event := decodeUpdated(t, m)
			assert.Equal(t, states[event.Item.ID][event.Item.Version-1], *event.Original)
		}
	}
	for _, id := range ids {
		assert.Len(t, states[id], last, "item %s: a version has no event", id)
	}
}
