package api

import (
	"encoding/json"
	"net/http"
	"time"

	"github.com/feedmill/feedmill"
	"github.com/feedmill/feedmill/cqrsfeed"
	"github.com/feedmill/feedmill/examples/microblog/post"
)

// FeedList is a part of the list of the feeds of tags, by name. Next is the cursor of the part that follows, "" at the end.
type FeedList struct {
	Feeds []FeedSummary `json:"feeds"`
	Next  string        `json:"next"`
}

// FeedSummary is a feed's name and how many posts it has.
type FeedSummary struct {
	Name  string `json:"name"`
	Posts int64  `json:"posts"`
}

func viewList(list feedmill.FeedList) any {
	feeds := make([]FeedSummary, 0, len(list.Feeds))
	for _, feed := range list.Feeds {
		if feed.Name != post.FeedOfAll {
			feeds = append(feeds, FeedSummary{Name: feed.Name, Posts: feed.Count})
		}
	}
	return FeedList{Feeds: feeds, Next: list.Next}
}

// FeedPage is a part of a feed, newest post first. Next is the cursor of the page that follows, "" at the end. Revision grows
// with every change of the feed, so that who shows older pages too learns of changes there. A page of several tags has no name
// and no count.
type FeedPage struct {
	Name     string `json:"name"`
	Count    int64  `json:"count"`
	Revision int64  `json:"revision"`
	Posts    []Post `json:"posts"`
	Next     string `json:"next"`
}

func viewPage(page cqrsfeed.FeedPage[post.Post]) any {
	posts := make([]Post, len(page.Items))
	for i, item := range page.Items {
		posts[i] = viewPost(item)
	}
	revision := page.Feed.Revision
	for _, feed := range page.Feeds {
		revision += feed.Revision
	}
	return FeedPage{Name: page.Feed.Name, Count: page.Feed.Count, Revision: revision, Posts: posts, Next: page.Next}
}

// maxHashtags is how many hashtags of a post are links, so that a page of posts fits into a frame whatever people write.
const maxHashtags = 100

// Post is a post as clients see it. Hashtags are the first of its content, with their places.
type Post struct {
	ID      string `json:"id"`
	Version int64  `json:"version"`
	post.Post
	Hashtags  []post.Hashtag `json:"hashtags"`
	CreatedAt time.Time      `json:"created_at"`
	UpdatedAt time.Time      `json:"updated_at"`
}

func viewPost(item item) Post {
	hashtags := post.Hashtags(item.Body.Content)
	return Post{
		ID: item.ID, Version: item.Version, Post: item.Body, Hashtags: hashtags[:min(len(hashtags), maxHashtags)],
		CreatedAt: item.CreatedAt, UpdatedAt: item.UpdatedAt,
	}
}

// Tags are the tags that a text would have as the content of a post.
type Tags struct {
	Tags []string `json:"tags"`
}

// readTags handles POST /api/tags.
func (a *api) readTags(w http.ResponseWriter, r *http.Request) {
	input, err := feedmill.ReadJSON[struct {
		Content string `json:"content"`
	}](w, r, maxBody)
	if err != nil {
		a.app.WriteError(w, r, err)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	_ = json.NewEncoder(w).Encode(Tags{Tags: post.Tags(input.Content)}) // a client that is gone needs no answer
}
