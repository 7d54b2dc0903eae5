package feedtest

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/feedmill/feedmill/cqrsfeed/cqrsfeedtest/internal/model"
)

func ruleBehaviours() map[string]behaviour {
	return map[string]behaviour{
		"a newer rule moves an item of the same version": func(t *testing.T, store feedStore) {
			history := []model.Change{model.State("post-1", 1, 0, "a", "b"), model.ByRule(1, model.State("post-1", 1, 0, "b", "c"))}
			model.Apply(t, store, history[0])
			revisions := model.Apply(t, store, history[1])
			for _, feed := range []string{"a", "b", "c"} {
				require.Contains(t, revisions, feed, "its followers have to be told")
			}
			model.Require(t, store, model.Fold(history))
		},
		"an older rule changes nothing, and all is announced again": func(t *testing.T, store feedStore) {
			history := []model.Change{model.State("post-1", 1, 0, "a", "b"), model.ByRule(2, model.State("post-1", 1, 0, "b", "c"))}
			model.Apply(t, store, history[0])
			model.Apply(t, store, history[1])
			for _, c := range []model.Change{history[0], model.ByRule(1, history[0]), history[1]} {
				again := model.Apply(t, store, c)
				for _, feed := range []string{"a", "b", "c"} {
					require.Contains(t, again, feed)
				}
				model.Require(t, store, model.Fold(history))
			}
		},
		// An instance with the old rule must still be able to write.
		"a newer version counts before a newer rule": func(t *testing.T, store feedStore) {
			history := []model.Change{
				model.ByRule(1, model.State("post-1", 1, 0, "a")), model.State("post-1", 2, 0, "b"), model.ByRule(1, model.State("post-1", 2, 0, "c")),
				model.Tombstone("post-1", 3, 0), model.ByRule(1, model.State("post-1", 2, 0, "c")), model.ByRule(1, model.Tombstone("post-1", 3, 0)),
			}
			for i, c := range history {
				model.Apply(t, store, c)
				model.Require(t, store, model.Fold(history[:i+1]))
			}
		},
		"any order of versions and rules ends the same": func(t *testing.T, store feedStore) {
			var all []model.Change
			for i, order := range permutations([]model.Change{
				model.State("post", 1, 0, "a", "b"), model.ByRule(1, model.State("post", 1, 0, "b", "c")),
				model.State("post", 2, 0, "a"), model.ByRule(1, model.State("post", 2, 0, "c", "d")),
			}) {
				for j := range order {
					order[j].Item.ID = fmt.Sprintf("post-%02d", i)
				}
				model.Apply(t, store, order[0])
				model.Apply(t, store, order[1:3]...)
				model.Apply(t, store, order[2:]...)
				all = append(all, order...)
			}
			model.Require(t, store, model.Fold(all))
		},
	}
}
