package site

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"time"

	"github.com/feedmill/feedmill/examples/microblog/api"
	"github.com/feedmill/feedmill/examples/microblog/post"
)

// MaxContent is the most characters that a post can have.
const MaxContent = post.MaxContent

// Draft is a post that is not yet created.
type Draft struct {
	Author  string `json:"author"`
	Title   string `json:"title"`
	Content string `json:"content"`
}

// Write creates a post by the API and waits until it is in the feeds of all its tags.
func (s *Site) Write(ctx context.Context, draft Draft) (api.Post, error) {
	var written api.Post
	if err := s.call(ctx, http.MethodPost, "/api/posts", draft, &written); err != nil {
		return api.Post{}, fmt.Errorf("write post %q: %w", draft.Title, err)
	}
	for _, tag := range written.Tags {
		if err := s.awaitPost(ctx, tag, written.ID); err != nil {
			return api.Post{}, fmt.Errorf("wait for post %q in feed %q: %w", draft.Title, tag, err)
		}
	}
	return written, nil
}

// Change sends a command for a post that exists, with a body of JSON or without one.
func (s *Site) Change(ctx context.Context, method, id, body string) error {
	if err := s.call(ctx, method, "/api/posts/"+url.PathEscape(id), json.RawMessage(body), nil); err != nil {
		return fmt.Errorf("change post %q: %w", id, err)
	}
	return nil
}

func (s *Site) awaitPost(ctx context.Context, feed, id string) error {
	const pause = 10 * time.Millisecond
	for {
		var page api.FeedPage
		if err := s.call(ctx, http.MethodGet, "/api/feeds/"+url.PathEscape(feed), nil, &page); err != nil {
			return err
		}
		for _, p := range page.Posts {
			if p.ID == id {
				return nil
			}
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(pause):
		}
	}
}

// call sends body as JSON, unless it is empty, and decodes the response into answer, unless that is nil.
func (s *Site) call(ctx context.Context, method, path string, body, answer any) error {
	var sent bytes.Buffer
	if raw, isRaw := body.(json.RawMessage); body != nil && (!isRaw || len(raw) > 0) {
		if err := json.NewEncoder(&sent).Encode(body); err != nil {
			return fmt.Errorf("encode request: %w", err)
		}
	}
	request, err := http.NewRequestWithContext(ctx, method, s.URL+path, &sent)
	if err != nil {
		return fmt.Errorf("make request: %w", err)
	}
	request.Header.Set("Accept", "application/json")
	request.Header.Set("Content-Type", "application/json")
	response, err := s.client.Do(request)
	if err != nil {
		return err
	}
	defer func() { _ = response.Body.Close() }() // the body was read
	if response.StatusCode >= http.StatusBadRequest {
		return fmt.Errorf("%s %s: %s", method, path, response.Status)
	}
	if answer == nil {
		return nil
	}
	if err := json.NewDecoder(response.Body).Decode(answer); err != nil {
		return fmt.Errorf("decode the answer to %s %s: %w", method, path, err)
	}
	return nil
}
