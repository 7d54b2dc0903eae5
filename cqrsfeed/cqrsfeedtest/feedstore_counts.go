package cqrsfeedtest

import (
	"fmt"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/feedmill/feedmill/cqrsfeed"
)

func countBehaviours() map[string]func(*testing.T, openFeedStore) {
	return map[string]func(*testing.T, openFeedStore){
		"counts follow every change": func(t *testing.T, open openFeedStore) {
			store := open(t)
			var history []change
			for i := range 12 {
				id := fmt.Sprintf("post-%d", i)
				history = append(history, state(id, 1, i, "all", "a"), state(id, 2, i, "all", "b"))
				if i%3 == 0 {
					history = append(history, tombstone(id, 3, i))
				}
			}
			for i, c := range history {
				apply(t, store, c)
				requireCounts(t, store, fold(history[:i+1]))
			}
		},
		"feeds are listed in byte order, by pages": func(t *testing.T, open openFeedStore) {
			store := open(t)
			names := []string{"b", "a", "ä", "Z", "aa", "a b", "a-b", "🙂", "\uffee", "1", "10", "2"}
			var batch []change
			for i, name := range names {
				batch = append(batch, state(fmt.Sprint("post-", i), 1, i, name))
			}
			apply(t, store, batch...)
			requireCounts(t, store, fold(batch))
			slices.Sort(names)
			for limit := 1; limit <= len(names)+1; limit++ {
				var got []string
				for _, feed := range listAll(t, t, store, limit) {
					got = append(got, feed.Name)
					require.Positive(t, feed.Revision)
				}
				require.Equal(t, names, got)
			}
			feeds, err := store.Feeds(t.Context(), "a a", 2)
			require.NoError(t, err)
			require.Equal(t, []string{"a b", "a-b"}, []string{feeds[0].Name, feeds[1].Name}, "after need not be a feed")
		},
		"a feed that lost its last item is not listed": func(t *testing.T, open openFeedStore) {
			store := open(t)
			history := []change{state("post-1", 1, 0, "a"), state("post-2", 1, 1, "b"), state("post-1", 2, 0, "b")}
			for _, c := range history {
				apply(t, store, c)
			}
			requireModel(t, store, fold(history))
			back := state("post-3", 1, 3, "a")
			apply(t, store, back)
			requireModel(t, store, fold(append(history, back)))
		},
		"limits of the list are clamped": func(t *testing.T, open openFeedStore) {
			store := open(t)
			var batch []change
			for i := range cqrsfeed.DefaultPageLimit + 5 {
				batch = append(batch, state(fmt.Sprintf("post-%03d", i), 1, i, fmt.Sprintf("feed-%03d", i)))
			}
			apply(t, store, batch...)
			requireCounts(t, store, fold(batch))
			for limit, want := range map[int]int{0: cqrsfeed.DefaultPageLimit, -1: cqrsfeed.DefaultPageLimit, 1 << 40: len(batch)} {
				feeds, err := store.Feeds(t.Context(), "", limit)
				require.NoError(t, err)
				require.Len(t, feeds, want)
			}
		},
	}
}
