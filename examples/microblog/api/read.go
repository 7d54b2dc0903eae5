package api

import (
	"context"
	"net/http"
	"strconv"
	"time"

	"github.com/feedmill/feedmill/cqrsfeed"
	"github.com/feedmill/feedmill/examples/microblog/post"
	"github.com/feedmill/feedmill/ssestream"
)

// FeedList is all feeds.
type FeedList struct {
	Feeds []FeedSummary `json:"feeds"`
}

// FeedSummary is a feed's name and how many posts it has.
type FeedSummary struct {
	Name  string `json:"name"`
	Posts int64  `json:"posts"`
}

func viewList(feeds []cqrsfeed.Feed) any {
	list := FeedList{Feeds: make([]FeedSummary, len(feeds))}
	for i, feed := range feeds {
		list.Feeds[i] = FeedSummary{Name: feed.Name, Posts: feed.Count}
	}
	return list
}

// FeedPage is a part of a feed, newest post first. Next is the cursor of the page that follows, "" at the end.
type FeedPage struct {
	Name  string `json:"name"`
	Count int64  `json:"count"`
	Posts []Post `json:"posts"`
	Next  string `json:"next"`
}

func viewPage(page cqrsfeed.FeedPage[post.Post]) any {
	posts := make([]Post, len(page.Items))
	for i, item := range page.Items {
		posts[i] = viewPost(item)
	}
	return FeedPage{Name: page.Feed.Name, Count: page.Feed.Count, Posts: posts, Next: page.Next}
}

// Post is a post as clients see it.
type Post struct {
	ID      string `json:"id"`
	Version int64  `json:"version"`
	post.Post
	CreatedAt time.Time `json:"created_at"`
	UpdatedAt time.Time `json:"updated_at"`
}

func viewPost(item cqrsfeed.Item[post.Post]) Post {
	return Post{ID: item.ID, Version: item.Version, Post: item.Body, CreatedAt: item.CreatedAt, UpdatedAt: item.UpdatedAt}
}

// postAdapter serves a post from the write model, so that an editor sees the newest version.
func (a *API) postAdapter() (*ssestream.Adapter[cqrsfeed.ItemUpdated[post.Post], Post], error) {
	return ssestream.AdapterBuilder[cqrsfeed.ItemUpdated[post.Post], Post]{
		RequestKey: postID,
		EventKeys:  func(event cqrsfeed.ItemUpdated[post.Post]) []string { return []string{event.Item.ID} },
		Load: func(ctx context.Context, id string) (Post, error) {
			item, err := a.posts.Get(ctx, id)
			return viewPost(item), err
		},
		// The version of a post is what If-Match guards, so it is the entity tag as well.
		Version: func(p Post) string { return strconv.FormatInt(p.Version, 10) },
	}.Build()
}

// postID returns the id in the request's path.
func postID(r *http.Request) (string, error) {
	id := r.PathValue("id")
	if err := cqrsfeed.ValidateID(id); err != nil {
		return "", refuse(http.StatusBadRequest, "id", "cannot name a post: %v", err)
	}
	return id, nil
}
