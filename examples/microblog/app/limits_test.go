package app_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/feedmill/feedmill/cqrsfeed"
	"github.com/feedmill/feedmill/examples/microblog/api"
	"github.com/feedmill/feedmill/examples/microblog/post"
	"github.com/feedmill/feedmill/ssestream/ssestreamtest"
)

// follow opens a stream of one connection for several, as pages do, and returns a function that returns its next state.
func follow[T any](t *testing.T, s *site, stream string) (next func() T) {
	t.Helper()
	opened, err := ssestreamtest.Connect(t.Context(), s.client, "http://"+s.addr+"/api/streams?stream="+url.QueryEscape(stream))
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, opened.Close()) })
	return func() (state T) {
		ctx, cancel := context.WithTimeout(t.Context(), patience)
		defer cancel()
		event, err := opened.Next(ctx)
		require.NoError(t, err)
		require.Equal(t, stream, event.Type)
		require.NoError(t, json.Unmarshal([]byte(event.Data), &state))
		return state
	}
}

// read reads what a path has as JSON.
func read[T any](t *testing.T, s *site, path string) (value T) {
	t.Helper()
	a := s.get(t, path)
	require.Equal(t, http.StatusOK, a.status, a.body)
	require.NoError(t, json.Unmarshal([]byte(a.body), &value))
	return value
}

// largest returns a post of which each part is as long as it may be, in characters that take the most bytes.
func largest(t *testing.T, character, tagCharacter string) string {
	t.Helper()
	content := "#limits"
	for i := range post.MaxTags - 1 {
		content += fmt.Sprintf(" #%02d%s", i, strings.Repeat(tagCharacter, post.MaxTag-2))
	}
	content += " "
	content += strings.Repeat(character, post.MaxContent-len([]rune(content)))
	body, err := json.Marshal(map[string]string{
		"title": strings.Repeat(character, post.MaxTitle), "content": content, "author": strings.Repeat(character, post.MaxAuthor),
	})
	require.NoError(t, err)
	return string(body)
}

// TestLargestPostsAreServed: a feed of posts at the limits is followed, and read to its end.
func TestLargestPostsAreServed(t *testing.T) {
	t.Parallel()
	const posts = 40 // over two megabytes
	s := run(t, newApp(t, embedded(t)))
	next := follow[api.FeedPage](t, s, "feed:limits")
	page := next()
	require.Empty(t, page.Posts)
	for i := range posts {
		kinds := []string{
			largest(t, "日", "𐐀"), // 3 and 4 bytes a character
			largest(t, "👍", "𐐀"), // 4 bytes
			fmt.Sprintf(`{"title":"<","content":"#limits %s","author":"<"}`, strings.Repeat("<", 9_990)), // 6 bytes in JSON
		}
		created := s.post(t, kinds[i%len(kinds)])
		require.Equal(t, http.StatusCreated, created.status, created.body)
		for page.Count <= int64(i) {
			page = next()
		}
	}
	require.NotEmpty(t, page.Next)
	all := page.Posts
	for page.Next != "" {
		page = read[api.FeedPage](t, s, "/api/feeds/limits?cursor="+page.Next)
		all = append(all, page.Posts...)
	}
	require.Len(t, all, posts)
	for _, p := range all {
		require.Equal(t, p, follow[api.Post](t, s, "post:"+p.ID)(), "the whole post")
	}
	s.stop()
	require.NoError(t, s.ended(t))
}

// TestManyFeedsAreServed: a list of feeds of over a megabyte is followed, and read to its end.
func TestManyFeedsAreServed(t *testing.T) {
	t.Parallel()
	const posts = 90
	s := run(t, newApp(t, embedded(t)))
	next := follow[api.FeedList](t, s, "feeds")
	list := next()
	require.Empty(t, list.Feeds)
	var token string
	for i := range posts {
		content := ""
		for tag := range post.MaxTags {
			content += fmt.Sprintf("#%03d%02d%s ", i, tag, strings.Repeat("𐐀", 59))
		}
		body, err := json.Marshal(map[string]string{"title": "A title", "content": content, "author": "Ada"})
		require.NoError(t, err)
		created := s.post(t, string(body))
		require.Equal(t, http.StatusCreated, created.status, created.body)
		token = created.header.Get("Feedmill-Token")
		for len(list.Feeds) < post.MaxTags*(i+1) && list.Next == "" {
			list = next()
		}
	}
	listed := map[string]bool{}
	require.Eventually(t, func() bool {
		return s.get(t, "/api/feeds", cqrsfeed.TokenHeader, token).header.Get(cqrsfeed.PendingHeader) == ""
	}, patience, time.Millisecond, "the last post is in its feeds")
	for cursor := ""; ; {
		part := read[api.FeedList](t, s, "/api/feeds?cursor="+url.QueryEscape(cursor))
		for _, feed := range part.Feeds {
			require.Equal(t, int64(1), feed.Posts)
			require.False(t, listed[feed.Name])
			listed[feed.Name] = true
		}
		if cursor = part.Next; cursor == "" {
			break
		}
	}
	require.Len(t, listed, posts*post.MaxTags)
	require.Equal(t, list, follow[api.FeedList](t, s, "feeds")(), "a new page has the beginning, too")
	s.stop()
	require.NoError(t, s.ended(t))
}
