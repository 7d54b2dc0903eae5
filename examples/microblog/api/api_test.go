package api_test

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/feedmill/feedmill/cqrsfeed"
	"github.com/feedmill/feedmill/examples/microblog/api"
	"github.com/feedmill/feedmill/examples/microblog/post"
)

func TestAllow(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	for path, allowed := range map[string]string{
		"/api/feeds":          "GET, HEAD",
		"/api/feeds/go":       "GET, HEAD",
		"/api/posts":          "GET, HEAD, POST",
		"/api/posts/the-post": "DELETE, GET, HEAD, PATCH",
		"/api/tags":           "POST",
		"/api/generate/post":  "POST",
	} {
		a := s.do(t, asked(http.MethodPut, path))
		require.Equal(t, http.StatusMethodNotAllowed, a.status)
		require.Equal(t, allowed, a.header.Get("Allow"), path)
	}
}

// TestCreate includes posts that are just within the limits.
func TestCreate(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	for name, test := range map[string]struct {
		body, contentType string
	}{
		"plain":                {newPost("A title", "#go", "Ada"), "application/json"},
		"with a character set": {newPost("A title", "#go", "Ada"), "Application/JSON; charset=utf-8"},
		"of the largest size":  {newPost(strings.Repeat("ü", 200), strings.Repeat("x", 10_000), strings.Repeat("日", 100)), "application/json"},
		"with most tags":       {newPost("A title", tags(50), "Ada"), "application/json"},
		"with a long tag":      {newPost("A title", "#"+strings.Repeat("日", 64), "Ada"), "application/json"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			a := s.do(t, request{http.MethodPost, "/api/posts", test.body, []string{"Content-Type: " + test.contentType}})
			require.Equal(t, http.StatusCreated, a.status, "%s", a.body)
			require.Equal(t, `"1"`, a.header.Get("ETag"))
			var created api.Post
			require.NoError(t, json.Unmarshal(a.body, &created))
			require.Equal(t, "/api/posts/"+created.ID, a.header.Get("Location"))

			read := s.do(t, asked(http.MethodGet, a.header.Get("Location")))
			require.Equal(t, http.StatusOK, read.status)
			require.JSONEq(t, string(a.body), string(read.body))
			require.Regexp(t, `^"1\.`, read.header.Get("ETag"))
			a = s.do(t, sent(http.MethodPatch, "/api/posts/"+created.ID, `{"title":"Another"}`, "If-Match: "+read.header.Get("ETag")))
			require.Equal(t, http.StatusOK, a.status, "the tag is one to use in If-Match")
		})
	}
}

func TestGeneratePost(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	a := s.do(t, asked(http.MethodPost, "/api/generate/post"))
	require.Equal(t, http.StatusCreated, a.status, "%s", a.body)
	var created api.Post
	require.NoError(t, json.Unmarshal(a.body, &created))
	require.NotEmpty(t, created.Tags)
	require.Equal(t, http.StatusOK, s.do(t, asked(http.MethodGet, a.header.Get("Location"))).status)
}

// TestIfMatch tests conditions that hold.
func TestIfMatch(t *testing.T) {
	t.Parallel()
	for _, header := range []string{`"1"`, `*`, `"7", "1"`, `"7" , W/"1", "1"`, ``} {
		t.Run(header, func(t *testing.T) {
			t.Parallel()
			s := newSite(t)
			a := s.do(t, sent(http.MethodPatch, "/api/posts/the-post", `{"title":"Another"}`, "If-Match: "+header))
			require.Equal(t, http.StatusOK, a.status, "%s", a.body)
			require.Equal(t, `"2"`, a.header.Get("ETag"))
			now := s.state(t)
			require.Equal(t, "Another", now.Posts[0].Body.Title)
			require.Equal(t, "#go and #sse", now.Posts[0].Body.Content)
			require.Equal(t, 2, now.Outbox, "the change has its event")
		})
	}
}

func TestDelete(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	a := s.do(t, asked(http.MethodDelete, "/api/posts/the-post", `If-Match: "1"`))
	require.Equal(t, http.StatusNoContent, a.status, "%s", a.body)
	require.Empty(t, a.body)
	now := s.state(t)
	require.True(t, now.Posts[0].Deleted)
	require.Equal(t, 2, now.Outbox, "the change has its event")
	requireProblem(t, s.do(t, asked(http.MethodDelete, "/api/posts/the-post")), http.StatusNotFound, "id")
}

// TestHead requests only the headers.
func TestHead(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	for _, path := range []string{"/api/feeds", "/api/feeds/go", "/api/posts?tags=go,sse", "/api/posts/the-post"} {
		a := s.do(t, asked(http.MethodHead, path))
		require.Equal(t, http.StatusOK, a.status, path)
		require.Empty(t, a.body)
		require.Equal(t, s.do(t, asked(http.MethodGet, path)).header.Get("ETag"), a.header.Get("ETag"))
	}
}

func TestEmptyFeed(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	a := s.do(t, asked(http.MethodGet, "/api/feeds/nobody"))
	require.Equal(t, http.StatusOK, a.status)
	require.JSONEq(t, `{"name":"nobody","count":0,"revision":0,"posts":[],"next":""}`, string(a.body))
}

// TestStreams reads everything in one request, as pages do.
func TestStreams(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	a := s.do(t, asked(http.MethodGet, "/api/streams?stream=feeds&stream=feed:go&stream=post:the-post&stream=post:none"))
	require.Equal(t, http.StatusOK, a.status)
	var got struct {
		Streams struct {
			Feeds struct {
				Feeds []struct {
					Name  string
					Posts int
				}
			} `json:"feeds"`
			Feed struct {
				Name  string
				Posts []struct{ ID string }
			} `json:"feed:go"`
			Post struct{ Title string } `json:"post:the-post"`
		}
		Problems []struct {
			Stream, Detail string
			Status         int
		}
	}
	require.NoError(t, json.Unmarshal(a.body, &got))
	require.Len(t, got.Streams.Feeds.Feeds, 2)
	require.Equal(t, "go", got.Streams.Feed.Name)
	require.Equal(t, "the-post", got.Streams.Feed.Posts[0].ID)
	require.Equal(t, "A title", got.Streams.Post.Title)
	require.Len(t, got.Problems, 1)
	require.Equal(t, "post:none", got.Problems[0].Stream)
	require.Equal(t, http.StatusNotFound, got.Problems[0].Status)
	require.NotContains(t, got.Problems[0].Detail, "sqlitestore", "what happens inside is not the client's business")
}

// TestTokens checks the tokens in the responses to all commands. No projector runs, so reads wait in vain, and are served
// all the same.
func TestTokens(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	created := s.do(t, sent(http.MethodPost, "/api/posts", newPost("A title", "#go", "Ada")))
	id := strings.TrimPrefix(created.header.Get("Location"), "/api/posts/")
	generated := s.do(t, asked(http.MethodPost, "/api/generate/post"))
	updated := s.do(t, sent(http.MethodPatch, "/api/posts/the-post", `{"title":"Another"}`))
	deleted := s.do(t, asked(http.MethodDelete, "/api/posts/the-post"))
	var tokens []string
	for _, test := range []struct {
		answer answer
		write  cqrsfeed.Token
	}{
		{created, cqrsfeed.Token{Kind: "post", ID: id, Version: 1}},
		{generated, cqrsfeed.Token{Kind: "post", ID: strings.TrimPrefix(generated.header.Get("Location"), "/api/posts/"), Version: 1}},
		{updated, cqrsfeed.Token{Kind: "post", ID: "the-post", Version: 2}},
		{deleted, cqrsfeed.Token{Kind: "post", ID: "the-post", Version: 3}},
	} {
		token := test.answer.header.Get("Feedmill-Token")
		got, err := cqrsfeed.ParseToken(token)
		require.NoError(t, err)
		require.Equal(t, test.write, got)
		tokens = append(tokens, token)
	}

	read := s.do(t, asked(http.MethodGet, "/api/feeds/go", "Feedmill-Token: "+strings.Join(tokens, ", ")))
	require.Equal(t, http.StatusOK, read.status)
	require.Equal(t, strings.Join(tokens, ", "), read.header.Get("Feedmill-Pending"), "it says what it may lack")
	before := s.do(t, asked(http.MethodGet, "/api/feeds?feedmill_token="+cqrsfeed.Token{Kind: "post", ID: "the-post", Version: 1}.String()))
	require.Empty(t, before.header.Get("Feedmill-Pending"), "the projection has this version")
}

// TestFeedOfEverySpelling: a feed's address in any case or form leads to the feed.
func TestFeedOfEverySpelling(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	canonical := s.do(t, asked(http.MethodGet, "/api/feeds/go"))
	for _, name := range []string{"Go", "GO", "%23go", "%EF%BC%83Go"} {
		require.Equal(t, canonical.body, s.do(t, asked(http.MethodGet, "/api/feeds/"+name)).body, name)
	}
	a := s.do(t, asked(http.MethodGet, "/api/streams?stream=feed:GO"))
	require.JSONEq(t, `{"streams":{"feed:GO":`+string(canonical.body)+`},"problems":[]}`, string(a.body))
}

func TestTagsOfAText(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	before := s.state(t)
	a := s.do(t, sent(http.MethodPost, "/api/tags", `{"content":"#Go, #sse and #go"}`))
	require.Equal(t, http.StatusOK, a.status)
	require.JSONEq(t, `{"tags":["go","sse"]}`, string(a.body))
	require.JSONEq(t, `{"tags":[]}`, string(s.do(t, sent(http.MethodPost, "/api/tags", `{"content":""}`)).body))
	require.Equal(t, before, s.state(t), "nothing is written")
}

// TestHashtags have their places, up to the first hundred.
func TestHashtags(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	var created api.Post
	a := s.do(t, sent(http.MethodPost, "/api/posts", newPost("", "ü #Go", "Ada")))
	require.NoError(t, json.Unmarshal(a.body, &created))
	require.Equal(t, []post.Hashtag{{Tag: "go", Start: 2, End: 5}}, created.Hashtags)
	a = s.do(t, sent(http.MethodPost, "/api/posts", newPost("", strings.Repeat("#go ", 150), "Ada")))
	require.NoError(t, json.Unmarshal(a.body, &created))
	require.Len(t, created.Hashtags, 100)
}
