package cqrsfeedtest

import (
	"testing"

	"github.com/stretchr/testify/require"
)

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
				requireModel(t, store, fold(batch))
			}
		},
		// The process may end after Apply and before what it announced is published; the message then
		// comes again, and the followers must hear of all that its first delivery changed.
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
