package api

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"

	"github.com/feedmill/feedmill/cqrsfeed"
	"github.com/feedmill/feedmill/examples/microblog/post"
	"github.com/feedmill/feedmill/ssestream"
)

// FeedListAdapter serves GET /api/feeds: all feeds, changed by any change of a feed.
func (a *API) FeedListAdapter() (*ssestream.Adapter[cqrsfeed.FeedUpdated, FeedList], error) {
	const key = "all feeds"
	return ssestream.AdapterBuilder[cqrsfeed.FeedUpdated, FeedList]{
		RequestKey: func(*http.Request) (string, error) { return key, nil },
		EventKeys:  func(cqrsfeed.FeedUpdated) []string { return []string{key} },
		Load:       func(ctx context.Context, _ string) (FeedList, error) { return a.loadFeedList(ctx) },
	}.Build()
}

func (a *API) loadFeedList(ctx context.Context) (FeedList, error) {
	list := FeedList{Feeds: []FeedSummary{}}
	after := ""
	for {
		feeds, err := a.feeds.Feeds(ctx, after, cqrsfeed.MaxPageLimit)
		if err != nil {
			return FeedList{}, fmt.Errorf("load feed list: %w", err)
		}
		for _, feed := range feeds {
			list.Feeds = append(list.Feeds, FeedSummary{Name: feed.Name, Posts: feed.Count})
		}
		if len(feeds) < cqrsfeed.MaxPageLimit {
			return list, nil
		}
		after = feeds[len(feeds)-1].Name
	}
}

// cursorMark stands between a feed's name and a cursor in a key. Names have no control characters.
const cursorMark = "\n"

// FeedAdapter serves GET /api/feeds/{name}: the newest page of a feed, or the page at a cursor. Pages at a
// cursor are read once; to follow a feed is to follow its newest page.
func (a *API) FeedAdapter() (*ssestream.Adapter[cqrsfeed.FeedUpdated, FeedPage], error) {
	return ssestream.AdapterBuilder[cqrsfeed.FeedUpdated, FeedPage]{
		RequestKey: feedKey,
		EventKeys:  func(event cqrsfeed.FeedUpdated) []string { return []string{event.Feed} },
		Load: func(ctx context.Context, key string) (FeedPage, error) {
			name, cursor, _ := strings.Cut(key, cursorMark)
			page, err := a.feeds.Page(ctx, name, cursor, 0)
			if err != nil {
				return FeedPage{}, clientError(fmt.Errorf("load feed %q: %w", name, err))
			}
			return viewPage(page), nil
		},
	}.Build()
}

func feedKey(r *http.Request) (string, error) {
	name := r.PathValue("name")
	if err := cqrsfeed.ValidateFeed(name); err != nil {
		return "", refuse(http.StatusBadRequest, "name", "cannot name a feed: %v", err)
	}
	cursor := r.URL.Query().Get("cursor")
	if cursor == "" {
		return name, nil
	}
	if ssestream.WantsStream(r) {
		return "", refuse(http.StatusBadRequest, "cursor", "cannot be followed: a stream has the newest page")
	}
	return name + cursorMark + cursor, nil
}

// PostAdapter serves GET /api/posts/{id} from the write model, so that an editor sees the newest version.
func (a *API) PostAdapter() (*ssestream.Adapter[cqrsfeed.ItemUpdated[post.Post], Post], error) {
	return ssestream.AdapterBuilder[cqrsfeed.ItemUpdated[post.Post], Post]{
		RequestKey: postID,
		EventKeys:  func(event cqrsfeed.ItemUpdated[post.Post]) []string { return []string{event.Item.ID} },
		Load: func(ctx context.Context, id string) (Post, error) {
			item, err := a.posts.Get(ctx, id)
			if err != nil {
				return Post{}, clientError(fmt.Errorf("load post: %w", err))
			}
			return viewPost(item), nil
		},
		// The version of a post is what If-Match guards, so it is the entity tag as well.
		Version: func(p Post) string { return strconv.FormatInt(p.Version, 10) },
	}.Build()
}

// clientError gives the errors that are the client's fault their status, so that a stream ends with them
// instead of waiting for them to pass.
func clientError(err error) error {
	switch {
	case errors.Is(err, cqrsfeed.ErrNotFound):
		return &ssestream.StatusError{Status: http.StatusNotFound, Err: told{"there is no such post", err}}
	case errors.Is(err, cqrsfeed.ErrBadCursor):
		return &ssestream.StatusError{Status: http.StatusBadRequest, Err: told{"the cursor cannot be read", err}}
	}
	return err
}

// told is an error in words for a client, who is not told what is behind it.
type told struct {
	text string
	err  error
}

func (t told) Error() string { return t.text }
func (t told) Unwrap() error { return t.err }
