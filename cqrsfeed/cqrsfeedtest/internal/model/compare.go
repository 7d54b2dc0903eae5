package model

import (
	"cmp"
	"encoding/json"
	"maps"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/feedmill/feedmill/cqrsfeed"
	"github.com/feedmill/feedmill/cqrsfeed/driver"
	"github.com/feedmill/feedmill/cqrsfeed/limits"
)

// Require requires that a store shows these feeds: the items at once, the counts after Recount.
func Require(t *testing.T, store cqrsfeed.FeedStore[Body], want Feeds) {
	t.Helper()
	for feed, items := range want {
		got := ReadAll(t, store, feed, 7)
		require.Equal(t, Describe(items), Describe(got), "items of feed %q", feed)
		for i := range items {
			requireSame(t, items[i], got[i])
		}
	}
	RequireCounts(t, store, want)
}

// RequireCounts requires the counts and the list of feeds, after Recount has nothing left to count.
func RequireCounts(t *testing.T, store cqrsfeed.FeedStore[Body], want Feeds) {
	t.Helper()
	Recount(t, store)
	CompareCounts(t, store, want)
}

// Recount calls Recount until nothing is left to count.
func Recount(t *testing.T, store cqrsfeed.FeedStore[Body]) {
	t.Helper()
	const most = 100
	quiet := 0
	for range most {
		updated, err := store.Recount(t.Context())
		require.NoError(t, err)
		if quiet++; len(updated) > 0 {
			quiet = 0
		}
		if quiet == driver.RecountCalls {
			return
		}
	}
	require.Fail(t, "Recount does not end although nothing is applied")
}

// CompareCounts requires the counts and the list of feeds without a Recount.
func CompareCounts(t *testing.T, store cqrsfeed.FeedStore[Body], want Feeds) {
	t.Helper()
	for feed, items := range want {
		page, err := store.Page(t.Context(), feed, "", 1)
		require.NoError(t, err)
		require.Equal(t, int64(len(items)), page.Feed.Count, "count of feed %q", feed)
	}
	listed := make(map[string]int64)
	var names []string
	for _, feed := range List(t, store, 3) {
		listed[feed.Name] = feed.Count
		names = append(names, feed.Name)
	}
	require.Equal(t, want.Sizes(), listed, "list of feeds")
	require.Equal(t, slices.Sorted(maps.Keys(listed)), names, "feeds are in byte order, each once")
}

// ReadAll reads a feed by pages. Only the last page may be short, except where the next item is too large for it.
func ReadAll(t *testing.T, store cqrsfeed.FeedStore[Body], feed string, limit int) []cqrsfeed.Item[Body] {
	t.Helper()
	var items []cqrsfeed.Item[Body]
	var short []cqrsfeed.Item[Body] // the page before, if it was short
	for cursor := ""; ; {
		page, err := store.Page(t.Context(), feed, cursor, limit)
		require.NoError(t, err)
		require.Equal(t, feed, page.Feed.Name)
		require.LessOrEqual(t, len(page.Items), limit)
		require.True(t, len(page.Items) <= 1 || size(t, page.Items) <= limits.MaxPageBytes,
			"a page of %d items has %d bytes", len(page.Items), size(t, page.Items))
		items = append(items, page.Items...)
		require.True(t, slices.IsSortedFunc(items, strictly), "feed %q goes back", feed)
		if short != nil {
			require.NotEmpty(t, page.Items)
			require.Greater(t, size(t, append(short, page.Items[0])), limits.MaxPageBytes, "a page before the last has only %d items", len(short))
		}
		if page.Next == "" {
			return items
		}
		require.NotEmpty(t, page.Items)
		if short = nil; len(page.Items) < limit {
			short = page.Items
		}
		cursor = page.Next
	}
}

// size returns the length of the bodies as JSON.
func size(t *testing.T, items []cqrsfeed.Item[Body]) int {
	t.Helper()
	total := 0
	for _, item := range items {
		body, err := json.Marshal(item.Body)
		require.NoError(t, err)
		total += len(body)
	}
	return total
}

// List lists the feeds by pages.
func List(t *testing.T, store cqrsfeed.FeedStore[Body], limit int) []cqrsfeed.Feed {
	t.Helper()
	var feeds []cqrsfeed.Feed
	for after := ""; ; {
		page, err := store.Feeds(t.Context(), after, limit)
		require.NoError(t, err)
		require.LessOrEqual(t, len(page), limit)
		if len(page) == 0 {
			return feeds
		}
		feeds = append(feeds, page...)
		require.Greater(t, page[len(page)-1].Name, after, "the list of feeds goes on")
		after = page[len(page)-1].Name
	}
}

// requireSame compares items with their times as instants.
func requireSame(t *testing.T, want, got cqrsfeed.Item[Body]) {
	t.Helper()
	require.Equal(t, want.Body, got.Body, "body of item %q", want.ID)
	require.Equal(t, want.CreatedAt.UnixMicro(), got.CreatedAt.UnixMicro(), "creation of item %q", want.ID)
	require.Equal(t, want.UpdatedAt.UnixMicro(), got.UpdatedAt.UnixMicro(), "update of item %q", want.ID)
	require.Equal(t, time.UTC, got.CreatedAt.Location(), "times are UTC")
	require.Equal(t, time.UTC, got.UpdatedAt.Location(), "times are UTC")
	require.False(t, got.Deleted, "a deleted item is in no feed")
}

// strictly orders items as pages do. Equal items are not sorted.
func strictly(a, b cqrsfeed.Item[Body]) int { return cmp.Or(NewestFirst(a, b), -1) }
