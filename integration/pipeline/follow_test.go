package pipeline_test

import (
	"context"
	"encoding/json"
	"io"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/feedmill/feedmill/examples/microblog/api"
	"github.com/feedmill/feedmill/ssestream/ssestreamtest"
)

// window is an open page that follows one resource.
type window[T any] struct {
	stream *ssestreamtest.Stream
	last   T
}

// open opens a window and waits for the state of its connect.
func open[T any](t *testing.T, s *site, path string) *window[T] {
	t.Helper()
	stream, err := ssestreamtest.Connect(context.WithoutCancel(t.Context()), s.client, s.url+path)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, stream.Close()) })
	w := &window[T]{stream: stream}
	w.until(t, "the state of the connect", func(T) bool { return true })
	return w
}

// until reads states until one satisfies right, and returns it. It may be called by any goroutine.
func (w *window[T]) until(t *testing.T, what string, right func(T) bool) T {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), timeout)
	defer cancel()
	for {
		event, err := w.stream.Next(ctx)
		if err != nil {
			t.Errorf("wait for %s: the window shows %+v: %v", what, w.last, err)
			return w.last
		}
		var state T
		if err := json.Unmarshal([]byte(event.Data), &state); err != nil || event.Type != "data" || event.ID == "" {
			t.Errorf("read an event: got %+v: %v", event, err)
			return w.last
		}
		w.last = state
		if right(state) {
			return state
		}
	}
}

// shows waits as until does, unless the last state satisfies right already.
func (w *window[T]) shows(t *testing.T, what string, right func(T) bool) T {
	t.Helper()
	if right(w.last) {
		return w.last
	}
	return w.until(t, what, right)
}

// ends requires that the server ends the stream in order, after any events.
func (w *window[T]) ends(t *testing.T) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), timeout)
	defer cancel()
	for {
		if _, err := w.stream.Next(ctx); err != nil {
			require.ErrorIs(t, err, io.EOF)
			return
		}
	}
}

// refused requires that a stream is refused with a status, which stops an EventSource.
func refused(t *testing.T, s *site, path string, status int) {
	t.Helper()
	stream, err := ssestreamtest.Connect(t.Context(), s.client, s.url+path)
	if err == nil {
		require.NoError(t, stream.Close())
	}
	var response *ssestreamtest.ResponseError
	require.ErrorAs(t, err, &response)
	require.Equal(t, status, response.StatusCode)
	require.Equal(t, "application/problem+json", response.Header.Get("Content-Type"))
}

func openFeed(t *testing.T, s *site, feed string) *window[api.FeedPage] {
	t.Helper()
	return open[api.FeedPage](t, s, feedPath(feed))
}

func openFeedList(t *testing.T, s *site) *window[api.FeedList] {
	t.Helper()
	return open[api.FeedList](t, s, "/api/feeds")
}

// hasPosts reports whether the page of a feed has exactly these posts, in this order, and their count.
func hasPosts(posts ...api.Post) func(api.FeedPage) bool {
	return func(page api.FeedPage) bool {
		if len(page.Posts) != len(posts) || page.Count != int64(len(posts)) {
			return false
		}
		for i, p := range posts {
			if page.Posts[i].ID != p.ID || page.Posts[i].Version != p.Version || page.Posts[i].Content != p.Content {
				return false
			}
		}
		return true
	}
}

// hasCounts reports whether the feed list has these counts. A feed with count 0 must be missing.
func hasCounts(want map[string]int64) func(api.FeedList) bool {
	return func(list api.FeedList) bool {
		counts := countsOf(list)
		for feed, n := range want {
			if got, listed := counts[feed]; got != n || listed != (n > 0) {
				return false
			}
		}
		return true
	}
}
