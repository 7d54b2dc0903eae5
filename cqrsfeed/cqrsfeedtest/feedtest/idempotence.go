package feedtest

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/feedmill/feedmill/cqrsfeed/cqrsfeedtest/internal/model"
)

func idempotenceBehaviours() map[string]behaviour {
	return map[string]behaviour{
		"the same batch twice": func(t *testing.T, store feedStore) {
			batch := []model.Change{
				model.State("post-1", 1, 0, "a", "b"), model.State("post-2", 1, 1, "b"), model.State("post-2", 2, 1, "c"),
				model.Tombstone("post-3", 4, 2),
			}
			for range 3 {
				model.Apply(t, store, batch...)
				model.Require(t, store, model.Fold(batch))
			}
		},
		// A process may end after Apply and before it publishes the result. The message is then redelivered,
		// and all that its first delivery changed must be announced.
		"a repeated batch is announced again": func(t *testing.T, store feedStore) {
			model.Apply(t, store, model.State("post-1", 1, 0, "a", "b"))
			first := model.Apply(t, store, model.State("post-1", 2, 0, "b", "c"))
			again := model.Apply(t, store, model.State("post-1", 2, 0, "b", "c"))
			for _, feed := range []string{"a", "b", "c"} {
				require.Contains(t, again, feed)
				require.GreaterOrEqual(t, again[feed], first[feed], "a revision never goes back")
			}
		},
		"a repeated delete is announced again": func(t *testing.T, store feedStore) {
			model.Apply(t, store, model.State("post-1", 1, 0, "a", "b"))
			model.Apply(t, store, model.Tombstone("post-1", 2, 0))
			again := model.Apply(t, store, model.Tombstone("post-1", 2, 0))
			require.Contains(t, again, "a")
			require.Contains(t, again, "b")
		},
		"an old version is announced again": func(t *testing.T, store feedStore) {
			model.Apply(t, store, model.State("post-1", 1, 0, "a", "b"))
			model.Apply(t, store, model.State("post-1", 2, 0, "c"))
			again := model.Apply(t, store, model.State("post-1", 1, 0, "a", "b"))
			require.Contains(t, again, "a")
			require.Contains(t, again, "b")
		},
		"a revision grows with every change": func(t *testing.T, store feedStore) {
			last := int64(0)
			for _, c := range []model.Change{
				model.State("post-1", 1, 0, "a"), model.State("post-2", 1, 1, "a"), model.State("post-1", 2, 0, "a", "b"),
				model.State("post-1", 3, 0, "b"), model.Tombstone("post-2", 2, 1),
			} {
				announced := model.Apply(t, store, c)["a"]
				require.Greater(t, announced, last)
				page := model.Page(t, store, "a", "", 10)
				require.GreaterOrEqual(t, page.Feed.Revision, announced, "what is announced can be read")
				last = page.Feed.Revision
			}
		},
	}
}
