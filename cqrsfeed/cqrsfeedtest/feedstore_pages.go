package cqrsfeedtest

import (
	"fmt"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/feedmill/feedmill/cqrsfeed"
	"github.com/feedmill/feedmill/cqrsfeed/cqrsfeedtest/internal/feedmodel"
	"github.com/feedmill/feedmill/cqrsfeed/driver"
)

func pagingBehaviours() map[string]func(*testing.T, openFeedStore) {
	return map[string]func(*testing.T, openFeedStore){
		"newest first, equal times by id": func(t *testing.T, open openFeedStore) {
			store := open(t)
			batch := []change{
				state("b", 1, 5, "go"), state("a", 1, 5, "go"), state("ab", 1, 5, "go"), state("B", 1, 5, "go"),
				state("old", 1, 1, "go"), state("new", 9, 9, "go"), state("ü", 1, 5, "go"), state("🙂", 1, 5, "go"),
				state("\uffee", 1, 5, "go"),
			}
			apply(t, store, batch...)
			require.Equal(t,
				[]string{"new v9", "🙂 v1", "\uffee v1", "ü v1", "b v1", "ab v1", "a v1", "B v1", "old v1"},
				feedmodel.Describe(feedmodel.ReadAll(t, store, "go", 100)))
			for limit := 1; limit <= len(batch)+1; limit++ {
				require.Equal(t, feedmodel.Describe(feedmodel.Fold(batch)["go"]), feedmodel.Describe(feedmodel.ReadAll(t, store, "go", limit)))
			}
		},
		"a cursor stays where it is while items come and go": func(t *testing.T, open openFeedStore) {
			store := open(t)
			apply(t, store, numbered(20, "go")...)
			first, err := store.Page(t.Context(), "go", "", 5)
			require.NoError(t, err)
			require.Equal(t, []string{"post-019 v1", "post-018 v1", "post-017 v1", "post-016 v1", "post-015 v1"}, feedmodel.Describe(first.Items))

			apply(t, store, state("newer", 1, 100, "go"), tombstone("post-015", 2, 15), tombstone("post-013", 2, 13),
				state("post-012", 2, 12, "go"))
			second, err := store.Page(t.Context(), "go", first.Next, 5)
			require.NoError(t, err)
			require.Equal(t, []string{"post-014 v1", "post-012 v2", "post-011 v1", "post-010 v1", "post-009 v1"}, feedmodel.Describe(second.Items))
		},
		"a cursor leads on in another feed": func(t *testing.T, open openFeedStore) {
			store := open(t)
			apply(t, store, append(numbered(6, "go"), numbered(6, "go", "sse")...)...)
			page, err := store.Page(t.Context(), "go", "", 3)
			require.NoError(t, err)
			page, err = store.Page(t.Context(), "sse", page.Next, 3)
			require.NoError(t, err)
			for _, item := range page.Items {
				require.Contains(t, item.Body.Tags, "sse")
			}
		},
		"a full last page has no next": func(t *testing.T, open openFeedStore) {
			store := open(t)
			apply(t, store, numbered(4, "go")...)
			page, err := store.Page(t.Context(), "go", "", 4)
			require.NoError(t, err)
			require.Len(t, page.Items, 4)
			require.Empty(t, page.Next)
		},
		"a cursor past the end yields an empty page": func(t *testing.T, open openFeedStore) {
			store := open(t)
			apply(t, store, numbered(3, "go")...)
			cursor := driver.EncodeCursor(driver.Position{CreatedAt: feedmodel.Epoch().AddDate(-200, 0, 0), ID: "x"})
			page, err := store.Page(t.Context(), "go", cursor, 4)
			require.NoError(t, err)
			require.Empty(t, page.Items)
			require.Empty(t, page.Next)
		},
		"a bad cursor is refused": func(t *testing.T, open openFeedStore) {
			store := open(t)
			apply(t, store, numbered(3, "go")...)
			for _, cursor := range []string{"!", "AAAA", "bm90IGEgY3Vyc29y%", "AAAAAAAAAAA"} {
				_, err := store.Page(t.Context(), "go", cursor, 4)
				require.ErrorIs(t, err, cqrsfeed.ErrBadCursor, "cursor %q", cursor)
			}
		},
		"limits are clamped": func(t *testing.T, open openFeedStore) {
			store := open(t)
			apply(t, store, numbered(cqrsfeed.MaxPageLimit+10, "go")...)
			for limit, want := range map[int]int{
				0: cqrsfeed.DefaultPageLimit, -3: cqrsfeed.DefaultPageLimit, 7: 7,
				cqrsfeed.MaxPageLimit: cqrsfeed.MaxPageLimit, 1 << 40: cqrsfeed.MaxPageLimit,
			} {
				page, err := store.Page(t.Context(), "go", "", limit)
				require.NoError(t, err)
				require.Len(t, page.Items, want, "limit %d", limit)
				require.NotEmpty(t, page.Next)
			}
		},
	}
}

// numbered returns items that were created one minute after the other.
func numbered(n int, feeds ...string) []change {
	batch := make([]change, 0, n)
	for i := range n {
		batch = append(batch, state(fmt.Sprintf("post-%03d", i), 1, i, feeds...))
	}
	return batch
}

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
				feedmodel.RequireCounts(t, store, feedmodel.Fold(history[:i+1]))
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
			feedmodel.RequireCounts(t, store, feedmodel.Fold(batch))
			slices.Sort(names)
			for limit := 1; limit <= len(names)+1; limit++ {
				var got []string
				for _, feed := range feedmodel.List(t, store, limit) {
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
			feedmodel.Require(t, store, feedmodel.Fold(history))
			back := state("post-3", 1, 3, "a")
			apply(t, store, back)
			feedmodel.Require(t, store, feedmodel.Fold(append(history, back)))
		},
		"limits of the list are clamped": func(t *testing.T, open openFeedStore) {
			store := open(t)
			var batch []change
			for i := range cqrsfeed.DefaultPageLimit + 5 {
				batch = append(batch, state(fmt.Sprintf("post-%03d", i), 1, i, fmt.Sprintf("feed-%03d", i)))
			}
			apply(t, store, batch...)
			feedmodel.RequireCounts(t, store, feedmodel.Fold(batch))
			for limit, want := range map[int]int{0: cqrsfeed.DefaultPageLimit, -1: cqrsfeed.DefaultPageLimit, 1 << 40: len(batch)} {
				feeds, err := store.Feeds(t.Context(), "", limit)
				require.NoError(t, err)
				require.Len(t, feeds, want)
			}
		},
	}
}
