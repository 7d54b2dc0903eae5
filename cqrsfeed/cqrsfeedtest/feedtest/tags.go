package feedtest

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/feedmill/feedmill/cqrsfeed/cqrsfeedtest/internal/model"
)

func tagBehaviours() map[string]behaviour {
	return map[string]behaviour{
		"a kept tag updates, a new tag adds, a dropped tag removes": func(t *testing.T, store feedStore) {
			history := []model.Change{model.State("post-1", 1, 0, "a", "b"), model.State("post-1", 2, 0, "b", "c")}
			model.Apply(t, store, history[0])
			revisions := model.Apply(t, store, history[1])
			for _, feed := range []string{"a", "b", "c"} {
				require.Contains(t, revisions, feed, "its followers have to be told")
			}
			model.Require(t, store, model.Fold(history))
			require.Equal(t, []string{"post-1 v2"}, model.Describe(model.ReadAll(t, store, "b", 10)))
			require.Equal(t, []string{"post-1 v2"}, model.Describe(model.ReadAll(t, store, "c", 10)))
			require.Empty(t, model.ReadAll(t, store, "a", 10))
		},
		"a tag can come back": func(t *testing.T, store feedStore) {
			history := []model.Change{
				model.State("post-1", 1, 0, "a"), model.State("post-1", 2, 0, "b"), model.State("post-1", 3, 0, "a"),
				model.State("post-1", 4, 0), model.State("post-1", 5, 0, "a", "b"),
			}
			for i, c := range history {
				model.Apply(t, store, c)
				model.Require(t, store, model.Fold(history[:i+1]))
			}
		},
		"versions that never came are not missed": func(t *testing.T, store feedStore) {
			history := []model.Change{model.State("post-1", 2, 0, "a", "b"), model.State("post-1", 9, 0, "b", "z")}
			for _, c := range history {
				model.Apply(t, store, c)
			}
			model.Require(t, store, model.Fold(history))
		},
		"an item leaves only its own entries": func(t *testing.T, store feedStore) {
			history := []model.Change{
				model.State("post-1", 1, 0, "a"), model.State("post-10", 1, 0, "a"), model.State("post-1", 2, 0, "b"),
				model.State("post", 1, 0, "a"), model.Tombstone("post", 2, 0),
			}
			for _, c := range history {
				model.Apply(t, store, c)
			}
			model.Require(t, store, model.Fold(history))
		},
	}
}
