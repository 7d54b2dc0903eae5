package pipeline_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/url"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/feedmill/feedmill/examples/microblog/api"
)

// answer is a response with its whole body.
type answer struct {
	status int
	header http.Header
	body   []byte
}

// do sends a request, with body as JSON unless it is nil. It may be called by any goroutine.
func (s *site) do(t *testing.T, method, path string, body any, header ...string) answer {
	t.Helper()
	a, err := s.send(t.Context(), method, path, body, header)
	if err != nil {
		t.Errorf("%s %s: %v", method, path, err)
	}
	return a
}

func (s *site) send(ctx context.Context, method, path string, body any, header []string) (answer, error) {
	var reader io.Reader = http.NoBody
	if body != nil {
		encoded, err := json.Marshal(body)
		if err != nil {
			return answer{}, err
		}
		reader = bytes.NewReader(encoded)
	}
	request, err := http.NewRequestWithContext(ctx, method, s.url+path, reader)
	if err != nil {
		return answer{}, err
	}
	if body != nil {
		request.Header.Set("Content-Type", "application/json")
	}
	for i := 0; i < len(header); i += 2 {
		request.Header.Set(header[i], header[i+1])
	}
	response, err := s.client.Do(request)
	if err != nil {
		return answer{}, err
	}
	got, err := io.ReadAll(response.Body)
	return answer{status: response.StatusCode, header: response.Header, body: got}, errors.Join(err, response.Body.Close())
}

// expect decodes a response and requires the status.
func expect[T any](t *testing.T, status int, a answer) T {
	t.Helper()
	var decoded T
	if status != a.status {
		t.Errorf("status is %d, not %d: %s", a.status, status, a.body)
	} else if err := json.Unmarshal(a.body, &decoded); err != nil {
		t.Errorf("%v: %s", err, a.body)
	}
	return decoded
}

// create posts content and returns the new post. It may be called by any goroutine.
func (s *site) create(t *testing.T, content string) api.Post {
	t.Helper()
	return expect[api.Post](t, http.StatusCreated, s.do(t, http.MethodPost, "/api/posts",
		map[string]string{"title": "About " + content, "content": content, "author": "Ada"}))
}

func (s *site) update(t *testing.T, id, content string, header ...string) api.Post {
	t.Helper()
	return expect[api.Post](t, http.StatusOK, s.do(t, http.MethodPatch, "/api/posts/"+id,
		map[string]string{"content": content}, header...))
}

func (s *site) remove(t *testing.T, id string) {
	t.Helper()
	a := s.do(t, http.MethodDelete, "/api/posts/"+id, nil)
	require.Equal(t, http.StatusNoContent, a.status, "%s", a.body)
}

// page reads a page of a feed.
func (s *site) page(t *testing.T, feed, cursor string) api.FeedPage {
	t.Helper()
	return expect[api.FeedPage](t, http.StatusOK, s.do(t, http.MethodGet, feedPath(feed)+"?cursor="+url.QueryEscape(cursor), nil))
}

func feedPath(feed string) string { return "/api/feeds/" + url.PathEscape(feed) }

// counts reads the feed list.
func (s *site) counts(t *testing.T) map[string]int64 {
	t.Helper()
	var all api.FeedList
	for cursor := ""; ; {
		list := expect[api.FeedList](t, http.StatusOK, s.do(t, http.MethodGet, "/api/feeds?cursor="+url.QueryEscape(cursor), nil))
		all.Feeds = append(all.Feeds, list.Feeds...)
		if cursor = list.Next; cursor == "" {
			return countsOf(all)
		}
	}
}

func countsOf(list api.FeedList) map[string]int64 {
	counts := map[string]int64{}
	for _, feed := range list.Feeds {
		counts[feed.Name] = feed.Posts
	}
	return counts
}
