package cqrsfeedtest

import (
	"fmt"
	"slices"
	"testing"

	"github.com/feedmill/feedmill/cqrsfeed/cqrsfeedtest/internal/feedmodel"
)

func orderBehaviours() map[string]func(*testing.T, openFeedStore) {
	behaviours := make(map[string]func(*testing.T, openFeedStore))
	for name, history := range map[string][]change{
		"an update last": {
			state("post-1", 1, 0, "a", "b"), state("post-1", 2, 0, "b", "c"),
			state("post-1", 3, 0, "a", "d"), state("post-1", 4, 0, "c", "d"),
		},
		"a delete last": {
			state("post-1", 1, 0, "a"), state("post-1", 2, 0, "a", "b"),
			state("post-1", 3, 0, "c"), tombstone("post-1", 4, 0),
		},
	} {
		behaviours["any order of four versions ends the same, "+name] = func(t *testing.T, open openFeedStore) {
			// Each order has an item of its own, so that all share one store.
			store := open(t)
			var all []change
			for i, order := range permutations(history) {
				for _, c := range order {
					c.Item.ID = fmt.Sprintf("post-%02d", i)
					apply(t, store, c)
					all = append(all, c)
				}
			}
			feedmodel.Require(t, store, feedmodel.Fold(all))
		}
	}
	behaviours["any order of four versions ends the same, in batches of two"] = func(t *testing.T, open openFeedStore) {
		store := open(t)
		history := []change{
			state("post-1", 1, 0, "a", "b"), state("post-1", 2, 0, "b", "c"),
			tombstone("post-1", 3, 0), state("post-1", 4, 0, "c", "d"),
		}
		var all []change
		for i, order := range permutations(history) {
			for j := range order {
				order[j].Item.ID = fmt.Sprintf("post-%02d", i)
			}
			apply(t, store, order[:2]...)
			apply(t, store, order[2:]...)
			all = append(all, order...)
		}
		feedmodel.Require(t, store, feedmodel.Fold(all))
	}
	behaviours["random histories in random batches"] = func(t *testing.T, open openFeedStore) {
		store := open(t)
		dice := feedmodel.NewDice(t)
		var all []change
		for range 4 {
			changes := dice.Histories(12, 5, 6)
			all = append(all, changes...)
			for _, batch := range dice.Batches(append(changes, changes...), 9) {
				apply(t, store, batch...)
			}
			feedmodel.Require(t, store, feedmodel.Fold(all))
		}
	}
	return behaviours
}

// permutations returns all orders of values.
func permutations[V any](values []V) [][]V {
	if len(values) <= 1 {
		return [][]V{slices.Clone(values)}
	}
	var all [][]V
	for i := range values {
		rest := slices.Delete(slices.Clone(values), i, i+1)
		for _, tail := range permutations(rest) {
			all = append(all, append([]V{values[i]}, tail...))
		}
	}
	return all
}
