package feedtest

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/feedmill/feedmill/cqrsfeed"
	"github.com/feedmill/feedmill/cqrsfeed/cqrsfeedtest"
	"github.com/feedmill/feedmill/cqrsfeed/cqrsfeedtest/internal/model"
	"github.com/feedmill/feedmill/cqrsfeed/driver"
	"github.com/feedmill/feedmill/cqrsfeed/limits"
)

type unionStore = cqrsfeed.UnionStore[model.Body]

// TestUnions tests that a store keeps the contract of cqrsfeed.UnionStore. open is called for every behaviour and must return
// an empty store.
func TestUnions(t *testing.T, open func(t *testing.T) cqrsfeed.UnionStore[cqrsfeedtest.Body]) {
	for name, behaviour := range map[string]func(t *testing.T, store unionStore){
		"each item once, in the order of a feed":    unionsOfHistories,
		"a union of one feed is its page":           unionOfOne,
		"the feeds are those of their pages":        headsOfUnions,
		"a cursor stays where it is":                cursorOfUnion,
		"as many feeds as are allowed":              unionOfMany,
		"large items make short pages":              largeItemsOfUnion,
		"no feed, unknown feeds and refused inputs": invalidUnions,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			behaviour(t, open(t))
		})
	}
}

func union(t *testing.T, store unionStore, feeds []string, cursor string, limit int) cqrsfeed.FeedPage[model.Body] {
	t.Helper()
	page, err := store.Union(t.Context(), feeds, cursor, limit)
	require.NoError(t, err)
	require.LessOrEqual(t, len(page.Items), limit)
	return page
}

// readUnion reads a union by pages of that size.
func readUnion(t *testing.T, store unionStore, feeds []string, limit int) []cqrsfeed.Item[model.Body] {
	t.Helper()
	var items []cqrsfeed.Item[model.Body]
	for cursor := ""; ; {
		page := union(t, store, feeds, cursor, limit)
		items = append(items, page.Items...)
		if page.Next == "" {
			return items
		}
		require.NotEmpty(t, page.Items)
		cursor = page.Next
	}
}

// merged returns the items of feeds as a union has them.
func merged(all model.Feeds, feeds []string) []cqrsfeed.Item[model.Body] {
	var items []cqrsfeed.Item[model.Body]
	for _, feed := range feeds {
		items = append(items, all[feed]...)
	}
	slices.SortFunc(items, model.NewestFirst)
	return slices.CompactFunc(items, func(a, b cqrsfeed.Item[model.Body]) bool { return a.ID == b.ID })
}

func unionsOfHistories(t *testing.T, store unionStore) {
	dice := model.NewDice(t)
	changes := dice.Histories(30, 4, 6)
	for _, batch := range dice.Batches(changes, 9) {
		model.Apply(t, store, batch...)
	}
	want := model.Fold(changes)
	var names []string
	for name := range want {
		names = append(names, name)
	}
	slices.Sort(names)
	for i := range names {
		for _, feeds := range [][]string{names[i:], names[:i+1], {names[i], "unknown", names[0], names[i]}} {
			for _, limit := range []int{1, 2, 7, 100} {
				require.Equal(t, model.Describe(merged(want, feeds)), model.Describe(readUnion(t, store, feeds, limit)), "%q by %d", feeds, limit)
			}
		}
	}
}

func unionOfOne(t *testing.T, store unionStore) {
	model.Apply(t, store, numbered(23, "go", "sse")...)
	for cursor, end := "", false; !end; {
		page := model.Page(t, store, "go", cursor, 5)
		of := union(t, store, []string{"go"}, cursor, 5)
		require.Equal(t, []cqrsfeed.Feed{page.Feed}, of.Feeds)
		of.Feed, of.Feeds = page.Feed, nil
		require.Equal(t, page, of)
		cursor, end = page.Next, page.Next == ""
	}
}

func headsOfUnions(t *testing.T, store unionStore) {
	model.Apply(t, store, append(numbered(3, "go", "sse"), model.State("x", 1, 0, "go", "a"), model.State("x", 2, 0, "go"))...)
	model.Recount(t, store)
	page := union(t, store, []string{"sse", "go", "nobody", "a", "go"}, "", 10)
	require.Zero(t, page.Feed)
	var want []cqrsfeed.Feed
	for _, feed := range []string{"a", "go", "nobody", "sse"} {
		want = append(want, model.Page(t, store, feed, "", 1).Feed)
	}
	require.Equal(t, want, page.Feeds)
	require.Equal(t, int64(4), page.Feeds[1].Count)
}

// cursorOfUnion has items come, go, and move between the feeds while a union is read by pages.
func cursorOfUnion(t *testing.T, store unionStore) {
	batch := numbered(20, "a")
	for i := range batch {
		batch[i].Feeds = [][]string{{"a"}, {"b"}, {"a", "b"}}[i%3]
	}
	model.Apply(t, store, batch...)
	feeds := []string{"a", "b"}
	first := union(t, store, feeds, "", 5)
	require.Equal(t, []string{"post-019 v1", "post-018 v1", "post-017 v1", "post-016 v1", "post-015 v1"}, model.Describe(first.Items))

	model.Apply(t, store, model.State("newer", 1, 100, "a"), model.Tombstone("post-015", 2, 15), model.Tombstone("post-013", 2, 13),
		model.State("post-012", 2, 12, "b"), model.State("post-011", 2, 11, "c"), model.State("post-017", 2, 17, "a"),
		model.State("post-016", 2, 16, "a", "b"))
	second := union(t, store, feeds, first.Next, 5)
	require.Equal(t, []string{"post-014 v1", "post-012 v2", "post-010 v1", "post-009 v1", "post-008 v1"}, model.Describe(second.Items))
	again := union(t, store, []string{"b"}, first.Next, 1)
	require.Equal(t, "post-014 v1", model.Describe(again.Items)[0], "a cursor leads on in other feeds")
}

func unionOfMany(t *testing.T, store unionStore) {
	names := make([]string, limits.MaxUnion)
	for i := range names {
		names[i] = "feed-" + strconv.Itoa(i)
	}
	batch := numbered(3 * limits.MaxUnion)
	for i := range batch {
		batch[i].Item.ID = fmt.Sprintf("post-%04d", i)
		batch[i].Feeds = []string{names[i%len(names)], names[(i*7)%len(names)], "all"}
	}
	model.Apply(t, store, batch...)
	want := model.Describe(model.Fold(batch)["all"])
	require.Equal(t, want, model.Describe(readUnion(t, store, names, 50)))
	repeated := slices.Concat(names, names)
	require.Equal(t, want[:10], model.Describe(union(t, store, repeated, "", 10).Items), "names may repeat")
	_, err := store.Union(t.Context(), append(names, "one more"), "", 10)
	require.ErrorIs(t, err, cqrsfeed.ErrInvalid)
}

func largeItemsOfUnion(t *testing.T, store unionStore) {
	batch := numbered(20)
	for i := range batch {
		batch[i].Item.Body.Text = strings.Repeat("日", 2000*i) // 3 bytes each
		batch[i].Feeds = [][]string{{"a"}, {"b", "a"}}[i%2]
	}
	model.Apply(t, store, batch...)
	want := merged(model.Fold(batch), []string{"a", "b"})
	require.Equal(t, model.Describe(want), model.Describe(readUnion(t, store, []string{"a", "b"}, 20)), "none is missing")
	page := union(t, store, []string{"a", "b"}, "", 20)
	require.Less(t, len(page.Items), 20)
	require.NotEmpty(t, page.Next)
}

func invalidUnions(t *testing.T, store unionStore) {
	model.Apply(t, store, numbered(limits.DefaultPageLimit+2, "a")...)
	for _, feeds := range [][]string{nil, {}} {
		page := union(t, store, feeds, "", 10)
		require.NotNil(t, page.Items)
		require.Empty(t, page.Items)
		require.Empty(t, page.Next)
		require.Empty(t, page.Feeds)
	}
	page := union(t, store, []string{"nobody", "knows"}, "", 10)
	require.NotNil(t, page.Items)
	require.Empty(t, page.Items)
	require.Equal(t, []cqrsfeed.Feed{{Name: "knows"}, {Name: "nobody"}}, page.Feeds)
	require.Len(t, union(t, store, []string{"a", "b"}, "", limits.MaxPageLimit).Items, limits.DefaultPageLimit+2)
	page, err := store.Union(t.Context(), []string{"a", "b"}, "", 0)
	require.NoError(t, err)
	require.Len(t, page.Items, limits.DefaultPageLimit)
	for _, feed := range []string{"", "a\x00", strings.Repeat("x", limits.MaxFeedLength+1)} {
		_, err := store.Union(t.Context(), []string{"a", feed}, "", 10)
		require.ErrorIs(t, err, cqrsfeed.ErrInvalid, "feed %q", feed)
	}
	_, err = store.Union(t.Context(), []string{"a", "b"}, "!", 10)
	require.ErrorIs(t, err, cqrsfeed.ErrBadCursor)
	last := driver.EncodeCursor(driver.Position{CreatedAt: model.Epoch().AddDate(-200, 0, 0), ID: "x"})
	require.Empty(t, union(t, store, []string{"a", "b"}, last, 10).Items)
}
