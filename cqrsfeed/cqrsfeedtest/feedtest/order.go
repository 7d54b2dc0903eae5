package feedtest

import (
	"fmt"
	"testing"

	"github.com/feedmill/feedmill/cqrsfeed/cqrsfeedtest/internal/model"
)

func orderBehaviours() map[string]behaviour {
	behaviours := make(map[string]behaviour)
	for name, history := range map[string][]model.Change{
		"an update last": {
			model.State("post-1", 1, 0, "a", "b"), model.State("post-1", 2, 0, "b", "c"),
			model.State("post-1", 3, 0, "a", "d"), model.State("post-1", 4, 0, "c", "d"),
		},
		"a delete last": {
			model.State("post-1", 1, 0, "a"), model.State("post-1", 2, 0, "a", "b"),
			model.State("post-1", 3, 0, "c"), model.Tombstone("post-1", 4, 0),
		},
	} {
		behaviours["any order of four versions ends the same, "+name] = func(t *testing.T, store feedStore) { // which all orders share
			var all []model.Change
			for i, order := range permutations(history) {
				for _, c := range order {
					c.Item.ID = fmt.Sprintf("post-%02d", i)
					model.Apply(t, store, c)
					all = append(all, c)
				}
			}
			model.Require(t, store, model.Fold(all))
		}
	}
	behaviours["any order of four versions ends the same, in batches of two"] = func(t *testing.T, store feedStore) {
		history := []model.Change{
			model.State("post-1", 1, 0, "a", "b"), model.State("post-1", 2, 0, "b", "c"),
			model.Tombstone("post-1", 3, 0), model.State("post-1", 4, 0, "c", "d"),
		}
		var all []model.Change
		for i, order := range permutations(history) {
			for j := range order {
				order[j].Item.ID = fmt.Sprintf("post-%02d", i)
			}
			model.Apply(t, store, order[:2]...)
			model.Apply(t, store, order[2:]...)
			all = append(all, order...)
		}
		model.Require(t, store, model.Fold(all))
	}
	behaviours["random histories in random batches"] = func(t *testing.T, store feedStore) {
		dice := model.NewDice(t)
		var all []model.Change
		for range 4 {
			changes := dice.Histories(12, 5, 6)
			all = append(all, changes...)
			for _, batch := range dice.Batches(append(changes, changes...), 9) {
				model.Apply(t, store, batch...)
			}
			model.Require(t, store, model.Fold(all))
		}
	}
	return behaviours
}
