package pipeline_test

import (
	"fmt"
	"slices"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/feedmill/feedmill/examples/microblog/api"
	"github.com/feedmill/feedmill/examples/microblog/post"
)

// testRestart stops the microblog while posts are created, writes more while neither relay nor projector runs, and starts
// it again on the same stores.
func testRestart(t *testing.T, s *site) {
	t.Helper()
	const before, while = 20, 20
	var posters sync.WaitGroup
	for i := range before {
		posters.Go(func() { s.create(t, fmt.Sprintf("number %d before the #restart", i)) })
	}
	posters.Wait() // most posts are not in the feed yet
	require.NoError(t, s.shutdown(t))

	edited, deleted := writeWithoutApp(t, s.place, while)
	s.start(t)

	feed := openFeed(t, s, "restart")
	page := feed.shows(t, "what was written before and meanwhile", func(page api.FeedPage) bool {
		// On the way the count may be right with other posts.
		return page.Count == before+while-2 &&
			!slices.ContainsFunc(page.Posts, func(p api.Post) bool { return p.ID == edited || p.ID == deleted })
	})
	require.Len(t, page.Posts, before+while-2)
	openFeed(t, s, "restart_edited").shows(t, "the edited post", func(page api.FeedPage) bool {
		return page.Count == 1 && page.Posts[0].ID == edited && page.Posts[0].Version == 2
	})
	require.Equal(t, int64(before+while-2), s.counts(t)["restart"])

	after := s.create(t, "after the #restart")
	feed.until(t, "a post after the restart", func(page api.FeedPage) bool { return page.Posts[0].ID == after.ID })
}

// writeWithoutApp creates n posts, moves one to another feed and deletes one.
func writeWithoutApp(t *testing.T, where place, n int) (edited, deleted string) {
	t.Helper()
	parts, closeParts := where(t)
	for i := range n {
		p, err := post.New("While down", fmt.Sprintf("number %d during the #restart", i), "Ada")
		require.NoError(t, err)
		_, err = parts.Posts.Create(t.Context(), fmt.Sprintf("down-%d", i), p)
		require.NoError(t, err)
	}
	_, err := parts.Posts.Update(t.Context(), "down-1", func(p *post.Post) error {
		content := "now in #restart_edited"
		changed, err := p.Edited(nil, &content)
		*p = changed
		return err
	})
	require.NoError(t, err)
	_, err = parts.Posts.Delete(t.Context(), "down-2")
	require.NoError(t, err)
	require.NoError(t, closeParts())
	return "down-1", "down-2"
}

// testShutdown stops the microblog while windows are open. Each stream ends in order.
func testShutdown(t *testing.T, s *site) {
	t.Helper()
	p := s.create(t, "#shutdown")
	list, feed, page := openFeedList(t, s), openFeed(t, s, "shutdown"), open[api.Post](t, s, "/api/posts/"+p.ID)
	require.NoError(t, s.shutdown(t), "open streams end in order")
	list.ends(t)
	feed.ends(t)
	page.ends(t)
}
