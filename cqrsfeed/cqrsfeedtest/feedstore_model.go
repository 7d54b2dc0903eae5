package cqrsfeedtest

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/feedmill/feedmill/cqrsfeed"
)

// model is what a store has to show after some changes: the items of each feed, newest first. Feeds that
// were left by all their items are in it, empty.
type model map[string][]cqrsfeed.Item[Body]

// fold works out the model of changes that came in any order: the highest version of each item counts.
func fold(changes []change) model {
	newest := make(map[string]change)
	feeds := make(model)
	for _, c := range changes {
		if known, ok := newest[c.Item.ID]; !ok || c.Item.Version > known.Item.Version {
			newest[c.Item.ID] = c
		}
		for _, feed := range c.Feeds {
			feeds[feed] = nil
		}
	}
	for _, c := range newest {
		for _, feed := range c.Feeds {
			feeds[feed] = append(feeds[feed], c.Item)
		}
	}
	for _, items := range feeds {
		slices.SortFunc(items, newestFirst)
	}
	return feeds
}

func newestFirst(a, b cqrsfeed.Item[Body]) int {
	return cmp.Or(b.CreatedAt.Compare(a.CreatedAt), strings.Compare(b.ID, a.ID))
}

// strictly takes equal values for unsorted ones.
func strictly[V any](compare func(a, b V) int) func(a, b V) int {
	return func(a, b V) int { return cmp.Or(compare(a, b), -1) }
}

// sizes are the feeds that have items.
func (m model) sizes() map[string]int64 {
	sizes := make(map[string]int64)
	for feed, items := range m {
		if len(items) > 0 {
			sizes[feed] = int64(len(items))
		}
	}
	return sizes
}

// settleTimeout is how long a store may take to update the counts that it deferred.
const settleTimeout = 5 * time.Second

// requireModel compares all that a store shows with a model: items at once, counts after Recount.
func requireModel(t *testing.T, store cqrsfeed.FeedStore[Body], want model) {
	t.Helper()
	for feed, items := range want {
		got := readAll(t, store, feed, 7)
		require.Equal(t, describe(items), describe(got), "items of feed %q", feed)
		for i := range items {
			requireSameItem(t, items[i], got[i])
		}
	}
	requireCounts(t, store, want)
}

// requireCounts compares counts and the list of feeds with a model, after as many calls of Recount as the store needs.
func requireCounts(t *testing.T, store cqrsfeed.FeedStore[Body], want model) {
	t.Helper()
	require.EventuallyWithT(t, func(c *assert.CollectT) {
		_, err := store.Recount(t.Context())
		require.NoError(c, err)
		compareCounts(t, c, store, want)
	}, settleTimeout, 10*time.Millisecond)
}

func compareCounts(t *testing.T, on require.TestingT, store cqrsfeed.FeedStore[Body], want model) {
	t.Helper()
	for feed, items := range want {
		page, err := store.Page(t.Context(), feed, "", 1)
		require.NoError(on, err)
		require.Equal(on, int64(len(items)), page.Feed.Count, "count of feed %q", feed)
	}
	listed := make(map[string]int64)
	var names []string
	for _, feed := range listAll(t, on, store, 3) {
		listed[feed.Name] = feed.Count
		names = append(names, feed.Name)
	}
	require.Equal(on, want.sizes(), listed, "list of feeds")
	require.Equal(on, slices.Sorted(maps.Keys(listed)), names, "feeds are in byte order, each once")
}

// readAll reads a feed by pages.
func readAll(t *testing.T, store cqrsfeed.FeedStore[Body], feed string, limit int) []cqrsfeed.Item[Body] {
	t.Helper()
	var items []cqrsfeed.Item[Body]
	for cursor := ""; ; {
		page, err := store.Page(t.Context(), feed, cursor, limit)
		require.NoError(t, err)
		require.Equal(t, feed, page.Feed.Name)
		require.LessOrEqual(t, len(page.Items), limit)
		items = append(items, page.Items...)
		require.True(t, slices.IsSortedFunc(items, strictly(newestFirst)), "feed %q goes back: %v", feed, describe(items))
		if page.Next == "" {
			return items
		}
		require.Len(t, page.Items, limit, "only the last page is short")
		cursor = page.Next
	}
}

// listAll lists the feeds by pages.
func listAll(t *testing.T, on require.TestingT, store cqrsfeed.FeedStore[Body], limit int) []cqrsfeed.Feed {
	t.Helper()
	var feeds []cqrsfeed.Feed
	for after := ""; ; {
		page, err := store.Feeds(t.Context(), after, limit)
		require.NoError(on, err)
		require.LessOrEqual(on, len(page), limit)
		if len(page) == 0 {
			return feeds
		}
		feeds = append(feeds, page...)
		require.Greater(on, page[len(page)-1].Name, after, "the list of feeds goes on")
		after = page[len(page)-1].Name
	}
}

// describe makes differences between feeds readable.
func describe(items []cqrsfeed.Item[Body]) []string {
	lines := []string{}
	for _, item := range items {
		lines = append(lines, fmt.Sprintf("%s v%d", item.ID, item.Version))
	}
	return lines
}

// requireSameItem compares items with their times as instants.
func requireSameItem(t *testing.T, want, got cqrsfeed.Item[Body]) {
	t.Helper()
	require.Equal(t, want.Body, got.Body, "body of item %q", want.ID)
	require.Equal(t, want.CreatedAt.UnixMicro(), got.CreatedAt.UnixMicro(), "creation of item %q", want.ID)
	require.Equal(t, want.UpdatedAt.UnixMicro(), got.UpdatedAt.UnixMicro(), "update of item %q", want.ID)
	require.Equal(t, time.UTC, got.CreatedAt.Location(), "times are UTC")
	require.Equal(t, time.UTC, got.UpdatedAt.Location(), "times are UTC")
	require.False(t, got.Deleted, "a deleted item is in no feed")
}
