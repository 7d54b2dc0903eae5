package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"time"
)

// requestTimeout limits the time of a request.
const requestTimeout = 15 * time.Second

// client calls the microblog's HTTP API.
type client struct {
	url  string
	http *http.Client
}

func newClient(url string) *client {
	return &client{url: url, http: &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 100}}}
}

// post is a post of the API.
type post struct {
	ID      string   `json:"id"`
	Version int64    `json:"version"`
	Title   string   `json:"title"`
	Tags    []string `json:"tags"`
}

// do returns the status and the body. An error means that no complete answer came.
func (c *client) do(ctx context.Context, method, path string, body any) (int, []byte, error) {
	ctx, cancel := context.WithTimeout(ctx, requestTimeout)
	defer cancel()
	encoded, err := json.Marshal(body)
	if err != nil {
		return 0, nil, fmt.Errorf("encode request: %w", err)
	}
	request, err := http.NewRequestWithContext(ctx, method, c.url+path, bytes.NewReader(encoded))
	if err != nil {
		return 0, nil, fmt.Errorf("make request: %w", err)
	}
	request.Header.Set("Content-Type", "application/json")
	response, err := c.http.Do(request)
	if err != nil {
		return 0, nil, err
	}
	answer, err := io.ReadAll(response.Body)
	return response.StatusCode, answer, errors.Join(err, response.Body.Close())
}

// get decodes the answer to a GET. The caller handles a status other than 200.
func (c *client) get(ctx context.Context, path string, into any) (int, error) {
	status, body, err := c.do(ctx, http.MethodGet, path, nil)
	if err != nil {
		return 0, fmt.Errorf("get %s: %w", path, err)
	}
	if status != http.StatusOK {
		return status, nil
	}
	if err := json.Unmarshal(body, into); err != nil {
		return 0, fmt.Errorf("get %s: decode answer: %w", path, err)
	}
	return status, nil
}

type feed struct {
	Name  string `json:"name"`
	Posts int64  `json:"posts"`
}

// feeds returns the list of all feeds.
func (c *client) feeds(ctx context.Context) (feeds []feed, err error) {
	for cursor := ""; ; {
		var list struct {
			Feeds []feed `json:"feeds"`
			Next  string `json:"next"`
		}
		status, err := c.get(ctx, "/api/feeds?cursor="+url.QueryEscape(cursor), &list)
		if err == nil && status != http.StatusOK {
			err = fmt.Errorf("get the feed list: status %d", status)
		}
		if err != nil {
			return nil, err
		}
		feeds = append(feeds, list.Feeds...)
		if cursor = list.Next; cursor == "" {
			return feeds, nil
		}
	}
}

// feed returns all pages of a feed, and the count on its first page.
func (c *client) feed(ctx context.Context, name string) (count int64, posts []post, err error) {
	for cursor := ""; ; {
		var page struct {
			Count int64  `json:"count"`
			Posts []post `json:"posts"`
			Next  string `json:"next"`
		}
		status, err := c.get(ctx, "/api/feeds/"+url.PathEscape(name)+"?cursor="+url.QueryEscape(cursor), &page)
		if err != nil {
			return 0, nil, err
		}
		if status != http.StatusOK {
			return 0, nil, fmt.Errorf("get feed %q: status %d", name, status)
		}
		if cursor == "" {
			count = page.Count
		}
		posts = append(posts, page.Posts...)
		if cursor = page.Next; cursor == "" {
			return count, posts, nil
		}
	}
}
