package app_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/feedmill/feedmill/examples/microblog/api"
	"github.com/feedmill/feedmill/examples/microblog/live"
	"github.com/feedmill/feedmill/examples/microblog/post"
)

// TestWelcome: a first start shows the way of a post, in its order; a later one writes nothing, also if all was deleted.
func TestWelcome(t *testing.T) {
	t.Parallel()
	parts := embedded(t)
	microblog := newApp(t, parts)
	require.NoError(t, live.Welcome(t.Context(), parts.Posts))
	s := run(t, microblog)
	var page api.FeedPage
	require.Eventually(t, func() bool {
		page = read[api.FeedPage](t, s, "/api/feeds/"+post.FeedOfAll)
		return page.Count == 12
	}, patience, time.Millisecond)
	for i, p := range page.Posts {
		require.True(t, strings.HasPrefix(p.Title, fmt.Sprintf("%d. ", i+1)), p.Title)
		require.NotEmpty(t, p.Tags, p.Title)
		require.Contains(t, p.Content, "\nCode: `", p.Title)
		_, err := parts.Posts.Delete(t.Context(), p.ID)
		require.NoError(t, err)
	}
	require.NoError(t, live.Welcome(t.Context(), parts.Posts))
	require.Eventually(t, func() bool {
		return read[api.FeedPage](t, s, "/api/feeds/"+post.FeedOfAll).Count == 0
	}, patience, time.Millisecond)
	s.stop()
	require.NoError(t, s.ended(t))
}

// TestFeedOfAll has every post, with a tag or without, and is not in the list of the tags' feeds.
func TestFeedOfAll(t *testing.T) {
	t.Parallel()
	s := run(t, newApp(t, embedded(t)))
	next := follow[api.FeedPage](t, s, "feed:"+post.FeedOfAll)
	require.Empty(t, next().Posts)
	for _, body := range []string{`{"content":"#go","author":"Ada"}`, `{"content":"no tag","author":"Ada"}`} {
		require.Equal(t, http.StatusCreated, s.post(t, body).status)
	}
	page := next()
	for page.Count < 2 {
		page = next()
	}
	require.Equal(t, []string{"no tag", "#go"}, []string{page.Posts[0].Content, page.Posts[1].Content})
	require.Equal(t, []api.FeedSummary{{Name: "go", Posts: 1}}, read[api.FeedList](t, s, "/api/feeds").Feeds)
	s.stop()
	require.NoError(t, s.ended(t))
}
