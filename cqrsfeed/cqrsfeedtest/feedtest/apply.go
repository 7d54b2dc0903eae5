package feedtest

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/feedmill/feedmill/cqrsfeed/cqrsfeedtest/internal/model"
)

func applyBehaviours() map[string]behaviour {
	return map[string]behaviour{
		"a created item is in its feeds": func(t *testing.T, store feedStore) {
			created := model.State("post-1", 1, 0, "go", "sse")
			revisions := model.Apply(t, store, created)
			require.Contains(t, revisions, "go")
			require.Contains(t, revisions, "sse")
			require.Len(t, revisions, 2)
			model.Require(t, store, model.Fold([]model.Change{created}))
		},
		"an updated item shows its new body": func(t *testing.T, store feedStore) {
			history := []model.Change{model.State("post-1", 1, 0, "go"), model.State("post-1", 2, 0, "go")}
			for _, c := range history {
				require.Contains(t, model.Apply(t, store, c), "go")
			}
			model.Require(t, store, model.Fold(history))
		},
		"a deleted item leaves all feeds": func(t *testing.T, store feedStore) {
			history := []model.Change{model.State("post-1", 1, 0, "go", "sse"), model.State("post-2", 1, 1, "go"), model.Tombstone("post-1", 2, 0)}
			model.Apply(t, store, history[0], history[1])
			revisions := model.Apply(t, store, history[2])
			require.Contains(t, revisions, "go")
			require.Contains(t, revisions, "sse")
			model.Require(t, store, model.Fold(history))
		},
		"a deleted item does not come back": func(t *testing.T, store feedStore) {
			history := []model.Change{model.Tombstone("post-1", 2, 0), model.State("post-1", 1, 0, "go")}
			for _, c := range history {
				model.Apply(t, store, c)
			}
			model.Require(t, store, model.Fold(history))
		},
		"an unknown feed is empty": func(t *testing.T, store feedStore) {
			page := model.Page(t, store, "nobody", "", 10)
			require.NotNil(t, page.Items, "an empty list, in JSON too")
			require.Empty(t, page.Items)
			require.Empty(t, page.Next)
			require.Equal(t, "nobody", page.Feed.Name)
			require.Zero(t, page.Feed.Count)
			require.Zero(t, page.Feed.Revision)
			require.Empty(t, model.List(t, store, 10))
		},
		"an empty batch changes nothing": func(t *testing.T, store feedStore) {
			require.Empty(t, model.Apply(t, store))
			model.Require(t, store, model.Feeds{})
		},
		"an item without feeds is in none": func(t *testing.T, store feedStore) {
			require.Empty(t, model.Apply(t, store, model.State("post-1", 1, 0)))
			model.Require(t, store, model.Feeds{})
			model.RequireVersion(t, store, "post-1", 1)
		},
		"several versions and items in one batch": func(t *testing.T, store feedStore) {
			batch := []model.Change{
				model.State("post-1", 2, 0, "b", "c"), model.State("post-2", 1, 1, "a"), model.State("post-1", 1, 0, "a", "b"),
				model.State("post-3", 3, 2, "c"), model.Tombstone("post-2", 2, 1), model.State("post-1", 3, 0, "c", "d"),
			}
			model.Apply(t, store, batch...)
			model.Require(t, store, model.Fold(batch))
		},
		"one state several times in one batch": func(t *testing.T, store feedStore) {
			c := model.State("post-1", 1, 0, "a", "b")
			model.Apply(t, store, c, c, c)
			model.Require(t, store, model.Fold([]model.Change{c}))
		},
		"a large batch": func(t *testing.T, store feedStore) {
			var batch []model.Change
			for i := range 1200 {
				batch = append(batch, model.State(fmt.Sprintf("post-%04d", i), 1, i, "all", fmt.Sprintf("tag-%d", i%60)))
			}
			require.Len(t, model.Apply(t, store, batch...), 61)
			want := model.Fold(batch)
			require.Equal(t, model.Describe(want["all"]), model.Describe(model.ReadAll(t, store, "all", 1000)))
			model.RequireCounts(t, store, want)
		},
		"the version of an item is known once it is applied": func(t *testing.T, store feedStore) {
			for _, step := range []struct {
				apply model.Change
				want  int64
			}{
				{model.State("other", 7, 0, "a"), 0},
				{model.State("post-1", 2, 0, "a"), 2},
				{model.State("post-1", 1, 0, "b"), 2},
				{model.Tombstone("post-1", 5, 0), 5},
				{model.State("post-1", 4, 0, "a"), 5},
			} {
				model.Apply(t, store, step.apply)
				model.RequireVersion(t, store, "post-1", step.want)
			}
		},
	}
}
