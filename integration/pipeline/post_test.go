package pipeline_test

import (
	"encoding/json"
	"net/http"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/feedmill/feedmill/examples/microblog/api"
)

func testPostPage(t *testing.T, s *site) {
	t.Helper()
	p := s.create(t, "first words")
	path := "/api/posts/" + p.ID
	page := open[api.Post](t, s, path)
	require.Equal(t, p, page.last)

	for _, content := range []string{"second words", "third words"} {
		want := s.update(t, p.ID, content)
		page.until(t, "the update", func(got api.Post) bool { return got.Version == want.Version })
		require.Equal(t, want, page.last)
	}

	s.remove(t, p.ID)
	page.ends(t)
	refused(t, s, path, http.StatusNotFound)
}

// testLostUpdate has two editors that start with the same version.
func testLostUpdate(t *testing.T, s *site) {
	t.Helper()
	read := s.create(t, "begun")
	path := "/api/posts/" + read.ID
	tag := s.do(t, http.MethodGet, path, nil).header.Get("ETag")
	require.NotEmpty(t, tag)

	var won, lost atomic.Int32
	var editors sync.WaitGroup
	for _, content := range []string{"by one", "by the other"} {
		editors.Go(func() {
			switch a := s.do(t, http.MethodPatch, path, map[string]string{"content": content}, "If-Match", tag); a.status {
			case http.StatusOK:
				won.Add(1)
			case http.StatusPreconditionFailed:
				lost.Add(1)
			}
		})
	}
	editors.Wait()
	require.Equal(t, []int32{1, 1}, []int32{won.Load(), lost.Load()}, "one saves, the other is refused")

	stale := s.do(t, http.MethodDelete, path, nil, "If-Match", tag)
	require.Equal(t, http.StatusPreconditionFailed, stale.status)
	require.Equal(t, "application/problem+json", stale.header.Get("Content-Type"))

	now := s.do(t, http.MethodGet, path, nil)
	saved := s.update(t, read.ID, "by the other, after a look", "If-Match", now.header.Get("ETag"))
	require.Equal(t, int64(3), saved.Version)
}

// testEntityTags reads each resource, and again with its entity tag.
func testEntityTags(t *testing.T, s *site) {
	t.Helper()
	p := s.create(t, "#entity_tags")
	feed := openFeed(t, s, "entity_tags")
	feed.shows(t, "the post", hasPosts(p))

	// The feed list is left out, because other tests change it meanwhile.
	tags := map[string]string{}
	for _, path := range []string{"/api/posts/" + p.ID, feedPath("entity_tags")} {
		first := s.do(t, http.MethodGet, path, nil)
		require.Equal(t, http.StatusOK, first.status)
		require.Equal(t, "application/json", first.header.Get("Content-Type"))
		require.True(t, json.Valid(first.body))
		tags[path] = first.header.Get("ETag")

		again := s.do(t, http.MethodGet, path, nil, "If-None-Match", tags[path])
		require.Equal(t, http.StatusNotModified, again.status, path)
		require.Empty(t, again.body)
	}

	updated := s.update(t, p.ID, "new words for #entity_tags")
	feed.until(t, "the update", hasPosts(updated))
	for path, tag := range tags {
		changed := s.do(t, http.MethodGet, path, nil, "If-None-Match", tag)
		require.Equal(t, http.StatusOK, changed.status, path)
		require.NotEqual(t, tag, changed.header.Get("ETag"), path)
	}
}
