package feedtest

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/feedmill/feedmill/cqrsfeed/cqrsfeedtest/internal/model"
	"github.com/feedmill/feedmill/cqrsfeed/limits"
)

func withheldBehaviours() map[string]behaviour {
	return map[string]behaviour{
		"an item leaves its feeds": func(t *testing.T, store feedStore) {
			history := []model.Change{model.State("post-1", 1, 0, "a", "b"), model.State("post-2", 1, 1, "a"), model.Withheld("post-1", 2, 0)}
			model.Apply(t, store, history[:2]...)
			for range 2 { // the first announcement may be lost
				told := model.Apply(t, store, history[2:]...)
				require.Contains(t, told, "a", "a feed that it left")
				require.Contains(t, told, "b", "a feed that it left")
			}
			model.Require(t, store, model.Fold(history))
			model.RequireVersion(t, store, "post-1", 2) // reads that wait for it go on
		},
		"the same version is shown when it is accepted": func(t *testing.T, store feedStore) {
			history := []model.Change{model.State("post-1", 1, 0, "a"), model.Withheld("post-1", 2, 0), model.State("post-1", 2, 0, "b")}
			for _, c := range history {
				model.Apply(t, store, c)
			}
			model.Require(t, store, model.Fold(history))
			model.Apply(t, store, history[1]) // late
			model.Require(t, store, model.Fold(history))
		},
		"an older version does not come back": func(t *testing.T, store feedStore) {
			history := []model.Change{model.Withheld("post-1", 2, 0), model.State("post-1", 1, 0, "a"), model.Withheld("post-1", 1, 0)}
			for _, c := range history {
				model.Apply(t, store, c)
			}
			model.Require(t, store, model.Fold(history))
		},
		"any order ends the same": func(t *testing.T, store feedStore) {
			requireAnyOrder(t, store, []model.Change{
				model.State("", 1, 0, "a", "b"), model.Withheld("", 2, 0), model.State("", 2, 0, "b", "c"), model.Withheld("", 3, 0),
			}, 2)
		},
		"what is refused does not matter": func(t *testing.T, store feedStore) {
			refused := unencodable(model.Withheld("post-1", 2, 0))
			refused.Feeds = longNames("x", limits.MaxFeeds+1)
			model.Apply(t, store, model.State("post-1", 1, 0, "a"))
			model.Apply(t, store, refused)
			model.Require(t, store, model.Feeds{"a": nil})
		},
	}
}
