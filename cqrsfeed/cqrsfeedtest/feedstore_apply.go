package cqrsfeedtest

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/feedmill/feedmill/cqrsfeed/cqrsfeedtest/internal/feedmodel"
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
			feedmodel.Require(t, store, feedmodel.Fold([]change{created}))
		},
		"an updated item shows its new body": func(t *testing.T, open openFeedStore) {
			store := open(t)
			history := []change{state("post-1", 1, 0, "go"), state("post-1", 2, 0, "go")}
			for _, c := range history {
				require.Contains(t, apply(t, store, c), "go")
			}
			feedmodel.Require(t, store, feedmodel.Fold(history))
		},
		"a deleted item leaves all feeds": func(t *testing.T, open openFeedStore) {
			store := open(t)
			history := []change{state("post-1", 1, 0, "go", "sse"), state("post-2", 1, 1, "go"), tombstone("post-1", 2, 0)}
			apply(t, store, history[0], history[1])
			revisions := apply(t, store, history[2])
			require.Contains(t, revisions, "go")
			require.Contains(t, revisions, "sse")
			feedmodel.Require(t, store, feedmodel.Fold(history))
		},
		"a deleted item does not come back": func(t *testing.T, open openFeedStore) {
			store := open(t)
			history := []change{tombstone("post-1", 2, 0), state("post-1", 1, 0, "go")}
			for _, c := range history {
				apply(t, store, c)
			}
			feedmodel.Require(t, store, feedmodel.Fold(history))
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
			require.Empty(t, feedmodel.List(t, store, 10))
		},
		"an empty batch changes nothing": func(t *testing.T, open openFeedStore) {
			store := open(t)
			require.Empty(t, apply(t, store))
			feedmodel.Require(t, store, feedmodel.Feeds{})
		},
		"an item without feeds is in none": func(t *testing.T, open openFeedStore) {
			store := open(t)
			require.Empty(t, apply(t, store, state("post-1", 1, 0)))
			feedmodel.Require(t, store, feedmodel.Feeds{})
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
			feedmodel.Require(t, store, feedmodel.Fold(batch))
		},
		"one state several times in one batch": func(t *testing.T, open openFeedStore) {
			store := open(t)
			c := state("post-1", 1, 0, "a", "b")
			apply(t, store, c, c, c)
			feedmodel.Require(t, store, feedmodel.Fold([]change{c}))
		},
		"a large batch": func(t *testing.T, open openFeedStore) {
			store := open(t)
			var batch []change
			for i := range 1200 {
				batch = append(batch, state(fmt.Sprintf("post-%04d", i), 1, i, "all", fmt.Sprintf("tag-%d", i%60)))
			}
			require.Len(t, apply(t, store, batch...), 61)
			want := feedmodel.Fold(batch)
			require.Equal(t, feedmodel.Describe(want["all"]), feedmodel.Describe(feedmodel.ReadAll(t, store, "all", 1000)))
			feedmodel.RequireCounts(t, store, want)
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

func tagBehaviours() map[string]func(*testing.T, openFeedStore) {
	return map[string]func(*testing.T, openFeedStore){
		"a kept tag updates, a new tag adds, a dropped tag removes": func(t *testing.T, open openFeedStore) {
			store := open(t)
			history := []change{state("post-1", 1, 0, "a", "b"), state("post-1", 2, 0, "b", "c")}
			apply(t, store, history[0])
			revisions := apply(t, store, history[1])
			for _, feed := range []string{"a", "b", "c"} {
				require.Contains(t, revisions, feed, "its followers have to be told")
			}
			feedmodel.Require(t, store, feedmodel.Fold(history))
			require.Equal(t, []string{"post-1 v2"}, feedmodel.Describe(feedmodel.ReadAll(t, store, "b", 10)))
			require.Equal(t, []string{"post-1 v2"}, feedmodel.Describe(feedmodel.ReadAll(t, store, "c", 10)))
			require.Empty(t, feedmodel.ReadAll(t, store, "a", 10))
		},
		"a tag can come back": func(t *testing.T, open openFeedStore) {
			store := open(t)
			history := []change{
				state("post-1", 1, 0, "a"), state("post-1", 2, 0, "b"), state("post-1", 3, 0, "a"),
				state("post-1", 4, 0), state("post-1", 5, 0, "a", "b"),
			}
			for i, c := range history {
				apply(t, store, c)
				feedmodel.Require(t, store, feedmodel.Fold(history[:i+1]))
			}
		},
		"versions that never came are not missed": func(t *testing.T, open openFeedStore) {
			store := open(t)
			history := []change{state("post-1", 2, 0, "a", "b"), state("post-1", 9, 0, "b", "z")}
			for _, c := range history {
				apply(t, store, c)
			}
			feedmodel.Require(t, store, feedmodel.Fold(history))
		},
		"an item leaves only its own entries": func(t *testing.T, open openFeedStore) {
			store := open(t)
			history := []change{
				state("post-1", 1, 0, "a"), state("post-10", 1, 0, "a"), state("post-1", 2, 0, "b"),
				state("post", 1, 0, "a"), tombstone("post", 2, 0),
			}
			for _, c := range history {
				apply(t, store, c)
			}
			feedmodel.Require(t, store, feedmodel.Fold(history))
		},
	}
}

func idempotenceBehaviours() map[string]func(*testing.T, openFeedStore) {
	return map[string]func(*testing.T, openFeedStore){
		"the same batch twice": func(t *testing.T, open openFeedStore) {
			store := open(t)
			batch := []change{
				state("post-1", 1, 0, "a", "b"), state("post-2", 1, 1, "b"), state("post-2", 2, 1, "c"),
				tombstone("post-3", 4, 2),
			}
			for range 3 {
				apply(t, store, batch...)
				feedmodel.Require(t, store, feedmodel.Fold(batch))
			}
		},
		// A process may end after Apply and before it publishes the result. The message is then redelivered,
		// and all that its first delivery changed must be announced.
		"a repeated batch is announced again": func(t *testing.T, open openFeedStore) {
			store := open(t)
			apply(t, store, state("post-1", 1, 0, "a", "b"))
			first := apply(t, store, state("post-1", 2, 0, "b", "c"))
			again := apply(t, store, state("post-1", 2, 0, "b", "c"))
			for _, feed := range []string{"a", "b", "c"} {
				require.Contains(t, again, feed)
				require.GreaterOrEqual(t, again[feed], first[feed], "a revision never goes back")
			}
		},
		"a repeated delete is announced again": func(t *testing.T, open openFeedStore) {
			store := open(t)
			apply(t, store, state("post-1", 1, 0, "a", "b"))
			apply(t, store, tombstone("post-1", 2, 0))
			again := apply(t, store, tombstone("post-1", 2, 0))
			require.Contains(t, again, "a")
			require.Contains(t, again, "b")
		},
		"an old version is announced again": func(t *testing.T, open openFeedStore) {
			store := open(t)
			apply(t, store, state("post-1", 1, 0, "a", "b"))
			apply(t, store, state("post-1", 2, 0, "c"))
			again := apply(t, store, state("post-1", 1, 0, "a", "b"))
			require.Contains(t, again, "a")
			require.Contains(t, again, "b")
		},
		"a revision grows with every change": func(t *testing.T, open openFeedStore) {
			store := open(t)
			last := int64(0)
			for _, c := range []change{
				state("post-1", 1, 0, "a"), state("post-2", 1, 1, "a"), state("post-1", 2, 0, "a", "b"),
				state("post-1", 3, 0, "b"), tombstone("post-2", 2, 1),
			} {
				announced := apply(t, store, c)["a"]
				require.Greater(t, announced, last)
				page, err := store.Page(t.Context(), "a", "", 10)
				require.NoError(t, err)
				require.GreaterOrEqual(t, page.Feed.Revision, announced, "what is announced can be read")
				last = page.Feed.Revision
			}
		},
	}
}
