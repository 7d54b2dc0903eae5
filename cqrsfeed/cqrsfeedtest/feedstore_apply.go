package cqrsfeedtest

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"
)

func applyBehaviours() map[string]func(*testing.T, openFeedStore) {
	return map[string]func(*testing.T, openFeedStore){
		"a created item is in its feeds": func(t *testing.T, open openFeedStore) {
			store := open(t)
			created := state("post-1", 1, 0, "go", "sse")
			revisions := apply(t, store, created)
			require.Contains(t, revisions, "go")
			require.Contains(t, revisions, "sse")
			require.Len(t, revisions, 2)
			requireModel(t, store, fold([]change{created}))
		},
		"an updated item shows its new body": func(t *testing.T, open openFeedStore) {
			store := open(t)
			history := []change{state("post-1", 1, 0, "go"), state("post-1", 2, 0, "go")}
			for _, c := range history {
				require.Contains(t, apply(t, store, c), "go")
			}
			requireModel(t, store, fold(history))
		},
		"a deleted item leaves all feeds": func(t *testing.T, open openFeedStore) {
			store := open(t)
			history := []change{state("post-1", 1, 0, "go", "sse"), state("post-2", 1, 1, "go"), tombstone("post-1", 2, 0)}
			apply(t, store, history[0], history[1])
			revisions := apply(t, store, history[2])
			require.Contains(t, revisions, "go")
			require.Contains(t, revisions, "sse")
			requireModel(t, store, fold(history))
		},
		"a deleted item does not come back": func(t *testing.T, open openFeedStore) {
			store := open(t)
			history := []change{tombstone("post-1", 2, 0), state("post-1", 1, 0, "go")}
			for _, c := range history {
				apply(t, store, c)
			}
			requireModel(t, store, fold(history))
		},
		"an unknown feed is empty": func(t *testing.T, open openFeedStore) {
			store := open(t)
			page, err := store.Page(t.Context(), "nobody", "", 10)
			require.NoError(t, err)
			require.NotNil(t, page.Items, "an empty list, in JSON too")
			require.Empty(t, page.Items)
			require.Empty(t, page.Next)
			require.Equal(t, "nobody", page.Feed.Name)
			require.Zero(t, page.Feed.Count)
			require.Zero(t, page.Feed.Revision)
			require.Empty(t, listAll(t, t, store, 10))
		},
		"an empty batch changes nothing": func(t *testing.T, open openFeedStore) {
			store := open(t)
			require.Empty(t, apply(t, store))
			requireModel(t, store, model{})
		},
		"an item without feeds is in none": func(t *testing.T, open openFeedStore) {
			store := open(t)
			require.Empty(t, apply(t, store, state("post-1", 1, 0)))
			requireModel(t, store, model{})
			version, err := store.ItemVersion(t.Context(), "post-1")
			require.NoError(t, err)
			require.Equal(t, int64(1), version)
		},
		"several versions and items in one batch": func(t *testing.T, open openFeedStore) {
			store := open(t)
			batch := []change{
				state("post-1", 2, 0, "b", "c"), state("post-2", 1, 1, "a"), state("post-1", 1, 0, "a", "b"),
				state("post-3", 3, 2, "c"), tombstone("post-2", 2, 1), state("post-1", 3, 0, "c", "d"),
			}
			apply(t, store, batch...)
			requireModel(t, store, fold(batch))
		},
		"one state several times in one batch": func(t *testing.T, open openFeedStore) {
			store := open(t)
			c := state("post-1", 1, 0, "a", "b")
			apply(t, store, c, c, c)
			requireModel(t, store, fold([]change{c}))
		},
		"a large batch": func(t *testing.T, open openFeedStore) {
			store := open(t)
			var batch []change
			for i := range 1200 {
				batch = append(batch, state(fmt.Sprintf("post-%04d", i), 1, i, "all", fmt.Sprintf("tag-%d", i%60)))
			}
			require.Len(t, apply(t, store, batch...), 61)
			want := fold(batch)
			require.Equal(t, describe(want["all"]), describe(readAll(t, store, "all", 1000)))
			requireCounts(t, store, want)
		},
		"the version of an item is known once it is applied": func(t *testing.T, open openFeedStore) {
			store := open(t)
			for _, step := range []struct {
				apply change
				want  int64
			}{
				{state("other", 7, 0, "a"), 0},
				{state("post-1", 2, 0, "a"), 2},
				{state("post-1", 1, 0, "b"), 2},
				{tombstone("post-1", 5, 0), 5},
				{state("post-1", 4, 0, "a"), 5},
			} {
				apply(t, store, step.apply)
				version, err := store.ItemVersion(t.Context(), "post-1")
				require.NoError(t, err)
				require.Equal(t, step.want, version)
			}
		},
	}
}
