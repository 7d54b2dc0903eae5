package cqrsfeedtest

import (
	"testing"

	"github.com/stretchr/testify/require"
)

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
			requireModel(t, store, fold(history))
			require.Equal(t, []string{"post-1 v2"}, describe(readAll(t, store, "b", 10)))
			require.Equal(t, []string{"post-1 v2"}, describe(readAll(t, store, "c", 10)))
			require.Empty(t, readAll(t, store, "a", 10))
		},
		"a tag can come back": func(t *testing.T, open openFeedStore) {
			store := open(t)
			history := []change{
				state("post-1", 1, 0, "a"), state("post-1", 2, 0, "b"), state("post-1", 3, 0, "a"),
				state("post-1", 4, 0), state("post-1", 5, 0, "a", "b"),
			}
			for i, c := range history {
				apply(t, store, c)
				requireModel(t, store, fold(history[:i+1]))
			}
		},
		"versions that never came are not missed": func(t *testing.T, open openFeedStore) {
			store := open(t)
			history := []change{state("post-1", 2, 0, "a", "b"), state("post-1", 9, 0, "b", "z")}
			for _, c := range history {
				apply(t, store, c)
			}
			requireModel(t, store, fold(history))
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
			requireModel(t, store, fold(history))
		},
	}
}
