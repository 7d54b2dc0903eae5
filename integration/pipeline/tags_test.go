package pipeline_test

import (
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/feedmill/feedmill/examples/microblog/api"
)

func testCreate(t *testing.T, s *site) {
	t.Helper()
	list := openFeedList(t, s)
	one, two := openFeed(t, s, "create_one"), openFeed(t, s, "zwei_größer")
	require.Equal(t, api.FeedPage{Name: "create_one", Posts: []api.Post{}}, one.last, "an unknown feed is empty")
	require.True(t, hasCounts(map[string]int64{"create_one": 0, "zwei_größer": 0})(list.last), "an unknown feed is not listed")

	first := s.create(t, "to #create_one and #ZWEI_größer, and #create_one again")
	require.Equal(t, []string{"create_one", "zwei_größer"}, first.Tags)
	one.until(t, "the post", hasPosts(first))
	two.until(t, "the post", hasPosts(first))
	list.shows(t, "both feeds", hasCounts(map[string]int64{"create_one": 1, "zwei_größer": 1}))

	second := s.create(t, "to #create_one")
	page := one.until(t, "both posts, the newest first", hasPosts(second, first))
	require.Equal(t, []api.Post{second, first}, page.Posts, "a feed has whole posts")
	list.shows(t, "the new count", hasCounts(map[string]int64{"create_one": 2, "zwei_größer": 1}))

	require.Equal(t, page, s.page(t, "create_one", ""), "a plain read returns the state of the stream")
	require.Equal(t, int64(2), s.counts(t)["create_one"])
}

// testUpdateTags tests that a kept tag updates the post in its feed, a new tag adds it, and a dropped tag removes it.
func testUpdateTags(t *testing.T, s *site) {
	t.Helper()
	list := openFeedList(t, s)
	a, b, c := openFeed(t, s, "tag_a"), openFeed(t, s, "tag_b"), openFeed(t, s, "tag_c")
	other := s.create(t, "stays in #tag_a and #tag_b")
	p := s.create(t, "#tag_a #tag_b")
	a.until(t, "both posts", hasPosts(p, other))
	b.until(t, "both posts", hasPosts(p, other))

	updated := s.update(t, p.ID, "#tag_b #tag_c")
	require.Equal(t, int64(2), updated.Version)
	require.Equal(t, p.Title, updated.Title, "PATCH keeps what it does not name")
	a.until(t, "the post to leave", hasPosts(other))
	b.until(t, "the update", hasPosts(updated, other))
	c.until(t, "the post to come", hasPosts(updated))
	list.shows(t, "the counts", hasCounts(map[string]int64{"tag_a": 1, "tag_b": 2, "tag_c": 1}))

	back := s.update(t, p.ID, "#tag_a #tag_b")
	a.until(t, "the post to come back", hasPosts(back, other))
	b.until(t, "the update", hasPosts(back, other))
	c.until(t, "the post to leave", hasPosts())
	list.shows(t, "the counts", hasCounts(map[string]int64{"tag_a": 2, "tag_b": 2, "tag_c": 0}))
}

func testDelete(t *testing.T, s *site) {
	t.Helper()
	list := openFeedList(t, s)
	one, two := openFeed(t, s, "delete_one"), openFeed(t, s, "delete_two")
	stays := s.create(t, "#delete_one")
	p := s.create(t, "#delete_one #delete_two")
	one.until(t, "both posts", hasPosts(p, stays))
	two.until(t, "the post", hasPosts(p))
	list.shows(t, "the counts", hasCounts(map[string]int64{"delete_one": 2, "delete_two": 1}))

	s.remove(t, p.ID)
	one.until(t, "one post", hasPosts(stays))
	two.until(t, "no post", hasPosts())
	list.shows(t, "the counts", hasCounts(map[string]int64{"delete_one": 1, "delete_two": 0}))
	require.Equal(t, http.StatusNotFound, s.do(t, http.MethodGet, "/api/posts/"+p.ID, nil).status)
	require.Equal(t, http.StatusNotFound, s.do(t, http.MethodDelete, "/api/posts/"+p.ID, nil).status)
}
