package feedtest

import (
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
			requireAnyOrder(t, store, history, 1)
		}
	}
	behaviours["any order of four versions ends the same, in batches of two"] = func(t *testing.T, store feedStore) {
		history := []model.Change{
			model.State("post-1", 1, 0, "a", "b"), model.State("post-1", 2, 0, "b", "c"),
			model.Tombstone("post-1", 3, 0), model.State("post-1", 4, 0, "c", "d"),
		}
		requireAnyOrder(t, store, history, 2)
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
