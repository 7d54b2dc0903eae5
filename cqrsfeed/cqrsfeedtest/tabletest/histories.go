package tabletest

import (
	"slices"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/feedmill/feedmill/cqrsfeed"
	"github.com/feedmill/feedmill/cqrsfeed/cqrsfeedtest/internal/model"
)

func testWorkers(t *testing.T, f fixture) {
	p := f.open()
	dice := model.NewDice(t)
	history := slices.DeleteFunc(dice.Histories(40, 6, 6), func(c model.Change) bool { return c.Withheld }) // events do not say so
	batches := dice.Batches(slices.Concat(history, history), 5)
	const workers = 4
	var running sync.WaitGroup
	for w := range workers {
		running.Go(func() {
			for i := w; i < len(batches); i += workers {
				_, err := p.Apply(t.Context(), eventsOf(t, batches[i]...))
				assert.NoError(t, err)
			}
		})
	}
	running.Wait()
	f.counts.Require(t, itemsOf(history...))
	f.counts.RequireChains(t, itemsOf(history...))
}

// testWithheld applies withheld versions beside others, as rebuilds do.
func testWithheld(t *testing.T, f fixture) {
	store := f.open().Model()
	dice := model.NewDice(t)
	history := dice.Histories(40, 6, 6)
	for _, batch := range dice.Batches(slices.Concat(history, history), 5) {
		_, err := store.Apply(t.Context(), batch)
		require.NoError(t, err)
	}
	newest := make(map[string]model.Change)
	for _, c := range history {
		if last, known := newest[c.Item.ID]; !known || last.State().Before(c.State()) {
			newest[c.Item.ID] = c
		}
	}
	var shown []cqrsfeed.Item[model.Body]
	for _, c := range newest {
		if !c.Hidden() {
			shown = append(shown, c.Item)
		}
	}
	f.counts.Require(t, shown)
}
