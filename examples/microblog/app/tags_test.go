package app_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/feedmill/feedmill/cqrsfeed/limits"
	"github.com/feedmill/feedmill/examples/microblog/api"
	"github.com/feedmill/feedmill/examples/microblog/demo"
	"github.com/feedmill/feedmill/ssestream/ssestreamtest"
)

// TestMyTags: the posts of several tags are one list and one room, whoever names them how. A demonstration is around the parts.
func TestMyTags(t *testing.T) {
	t.Parallel()
	parts := embedded(t)
	parts.Demo = &demo.Times{}
	microblog := newApp(t, parts)
	s := run(t, microblog)
	var streams []*ssestreamtest.Stream
	for _, tags := range []string{"go,sse", "SSE,go,go"} {
		stream, err := ssestreamtest.Connect(t.Context(), s.client, "http://"+s.addr+"/api/streams?stream=tags:"+tags)
		require.NoError(t, err)
		streams = append(streams, stream)
	}
	// requireShown requires that both streams come to show these posts, the newest first.
	requireShown := func(contents ...string) (page api.FeedPage) {
		t.Helper()
		for _, stream := range streams {
			for shown := []string(nil); len(shown) != len(contents); {
				event, err := stream.Next(t.Context())
				require.NoError(t, err)
				require.NoError(t, json.Unmarshal([]byte(event.Data), &page))
				shown = []string{}
				for _, p := range page.Posts {
					shown = append(shown, p.Content)
				}
				if len(shown) == len(contents) {
					require.Equal(t, contents, shown)
				}
			}
		}
		return page
	}
	revision := requireShown().Revision
	require.EqualValues(t, 2, microblog.Router().Stats().Clients)
	require.EqualValues(t, 1, microblog.Router().Stats().Rooms, "two windows follow the same tags")
	require.EqualValues(t, 2, microblog.Router().Stats().Dependencies)

	for i, content := range []string{"One #go", "Two #sse", "Three #sse #go", "Another #vue"} {
		require.Equal(t, http.StatusCreated, s.post(t, `{"content":"`+content+`","author":"Ada"}`).status)
		want := [][]string{{"One #go"}, {"Two #sse", "One #go"}, {"Three #sse #go", "Two #sse", "One #go"}}
		if i < len(want) {
			page := requireShown(want[i]...)
			require.Greater(t, page.Revision, revision, "pages that show older posts load them again")
			require.Empty(t, page.Next)
			revision = page.Revision
		}
	}
	a := s.get(t, "/api/posts?tags=sse,go")
	require.Equal(t, http.StatusOK, a.status, a.body)
	var page api.FeedPage
	require.NoError(t, json.Unmarshal([]byte(a.body), &page))
	require.Len(t, page.Posts, 3)
	for _, stream := range streams {
		require.NoError(t, stream.Close())
	}
}

// TestManyTags: the most tags that a page can have, of usual lengths, as the stream client asks for them, are one room.
func TestManyTags(t *testing.T) {
	t.Parallel()
	microblog := newApp(t, embedded(t))
	s := run(t, microblog)
	names := make([]string, limits.MaxUnion)
	for i := range names {
		names[i] = fmt.Sprintf("tag%d_größer", i)
	}
	query := url.Values{"stream": {"tags:" + strings.Join(names, ",")}}.Encode()
	stream, err := ssestreamtest.Connect(t.Context(), s.client, "http://"+s.addr+"/api/streams?"+query)
	require.NoError(t, err)
	for posts := range 3 {
		var page api.FeedPage
		for {
			event, err := stream.Next(t.Context())
			require.NoError(t, err)
			require.Equal(t, "tags:", event.Type[:len("tags:")], event.Data)
			require.NoError(t, json.Unmarshal([]byte(event.Data), &page))
			if len(page.Posts) == posts {
				break
			}
		}
		require.Equal(t, http.StatusCreated, s.post(t, fmt.Sprintf(`{"content":"#tag%d_größer","author":"Ada"}`, posts*99)).status)
	}
	require.EqualValues(t, 1, microblog.Router().Stats().Rooms)
	require.EqualValues(t, limits.MaxUnion, microblog.Router().Stats().Dependencies)
	require.NoError(t, stream.Close())
}
