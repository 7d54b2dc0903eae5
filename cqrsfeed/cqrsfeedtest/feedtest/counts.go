package feedtest

import (
	"fmt"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/feedmill/feedmill/cqrsfeed/cqrsfeedtest/internal/model"
	"github.com/feedmill/feedmill/cqrsfeed/limits"
)

func countBehaviours() map[string]behaviour {
	return map[string]behaviour{
		"counts follow every change": func(t *testing.T, store feedStore) {
			var history []model.Change
			for i := range 12 {
				id := fmt.Sprintf("post-%d", i)
				history = append(history, model.State(id, 1, i, "all", "a"), model.State(id, 2, i, "all", "b"))
				if i%3 == 0 {
					history = append(history, model.Tombstone(id, 3, i))
				}
			}
			for i, c := range history {
				model.Apply(t, store, c)
				model.RequireCounts(t, store, model.Fold(history[:i+1]))
			}
		},
		"feeds are listed in byte order, by pages": func(t *testing.T, store feedStore) {
			names := []string{"b", "a", "ä", "Z", "aa", "a b", "a-b", "🙂", "\uffee", "1", "10", "2"}
			var batch []model.Change
			for i, name := range names {
				batch = append(batch, model.State(fmt.Sprint("post-", i), 1, i, name))
			}
			model.Apply(t, store, batch...)
			model.RequireCounts(t, store, model.Fold(batch))
			slices.Sort(names)
			for limit := 1; limit <= len(names)+1; limit++ {
				var got []string
				for _, feed := range model.List(t, store, limit) {
					got = append(got, feed.Name)
					require.Positive(t, feed.Revision)
				}
				require.Equal(t, names, got)
			}
			feeds, err := store.Feeds(t.Context(), "a a", 2)
			require.NoError(t, err)
			require.Equal(t, []string{"a b", "a-b"}, []string{feeds[0].Name, feeds[1].Name}, "after need not be a feed")
		},
		"a feed that lost its last item is not listed": func(t *testing.T, store feedStore) {
			history := []model.Change{model.State("post-1", 1, 0, "a"), model.State("post-2", 1, 1, "b"), model.State("post-1", 2, 0, "b")}
			for _, c := range history {
				model.Apply(t, store, c)
			}
			model.Require(t, store, model.Fold(history))
			back := model.State("post-3", 1, 3, "a")
			model.Apply(t, store, back)
			model.Require(t, store, model.Fold(append(history, back)))
		},
		"limits of the list are clamped": func(t *testing.T, store feedStore) {
			var batch []model.Change
			for i := range limits.DefaultPageLimit + 5 {
				batch = append(batch, model.State(fmt.Sprintf("post-%03d", i), 1, i, fmt.Sprintf("feed-%03d", i)))
			}
			model.Apply(t, store, batch...)
			model.RequireCounts(t, store, model.Fold(batch))
			for limit, want := range map[int]int{0: limits.DefaultPageLimit, -1: limits.DefaultPageLimit, 1 << 40: len(batch)} {
				feeds, err := store.Feeds(t.Context(), "", limit)
				require.NoError(t, err)
				require.Len(t, feeds, want)
			}
		},
	}
}
