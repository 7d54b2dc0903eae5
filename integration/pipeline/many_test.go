package pipeline_test

import (
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/feedmill/feedmill/examples/microblog/api"
)

// testPaging reads a feed to its end while posts are created.
func testPaging(t *testing.T, s *site) {
	t.Helper()
	const posts = 120
	feed := openFeed(t, s, "paging")
	var want []string
	for i := range posts {
		want = append(want, s.create(t, fmt.Sprintf("number %d of #paging", i)).ID)
	}
	slices.Reverse(want)
	newest := feed.shows(t, "all posts", func(page api.FeedPage) bool { return page.Count == posts })
	require.Len(t, newest.Posts, 50)
	require.NotEmpty(t, newest.Next)

	page := s.page(t, "paging", "")
	require.Equal(t, newest, page)
	got := ids(page.Posts)
	for pages := 1; page.Next != ""; pages++ {
		require.Less(t, pages, 10, "the pages do not end")
		s.create(t, fmt.Sprintf("comes while page %d of #paging is read", pages))
		page = s.page(t, "paging", page.Next)
		got = append(got, ids(page.Posts)...)
	}
	require.Equal(t, want, got, "each once, the newest first")
}

// testConcurrentPosts creates posts from several clients at once while others follow.
func testConcurrentPosts(t *testing.T, s *site) {
	t.Helper()
	const (
		posts     = 50
		clients   = 8
		followers = 6
	)
	var feeds []*window[api.FeedPage]
	var lists []*window[api.FeedList]
	for range followers {
		feeds = append(feeds, openFeed(t, s, "crowd"))
		lists = append(lists, openFeedList(t, s))
	}

	numbers := make(chan int, posts)
	for i := range posts {
		numbers <- i
	}
	close(numbers)
	var mu sync.Mutex
	var written []api.Post
	var work sync.WaitGroup
	for range clients {
		work.Go(func() {
			for i := range numbers {
				p := s.create(t, fmt.Sprintf("number %d of the #crowd, #crowd_%d", i, i%2))
				mu.Lock()
				written = append(written, p)
				mu.Unlock()
			}
		})
	}
	for i := range followers {
		work.Go(func() {
			feeds[i].shows(t, "all posts", func(page api.FeedPage) bool { return page.Count == posts && len(page.Posts) == posts })
		})
		work.Go(func() {
			lists[i].shows(t, "the counts", hasCounts(map[string]int64{"crowd": posts, "crowd_0": posts / 2, "crowd_1": posts / 2}))
		})
	}
	work.Wait()

	slices.SortFunc(written, newestFirst)
	for _, feed := range feeds {
		require.Equal(t, written, feed.last.Posts, "every window ends on the same complete state")
	}
	require.Equal(t, written, s.page(t, "crowd", "").Posts)
}

// newestFirst is the order of a feed.
func newestFirst(a, b api.Post) int {
	if order := b.CreatedAt.Compare(a.CreatedAt); order != 0 {
		return order
	}
	return strings.Compare(b.ID, a.ID)
}

func ids(posts []api.Post) []string {
	var ids []string
	for _, p := range posts {
		ids = append(ids, p.ID)
	}
	return ids
}
