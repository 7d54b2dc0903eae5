package api

import (
	"time"

	"github.com/feedmill/feedmill/cqrsfeed"
	"github.com/feedmill/feedmill/examples/microblog/post"
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

// FeedPage is a part of a feed, newest post first. Next is the cursor of what follows, "" at the end.
type FeedPage struct {
	Name  string `json:"name"`
	Count int64  `json:"count"`
	Posts []Post `json:"posts"`
	Next  string `json:"next"`
}

// Post is a post as clients see it.
type Post struct {
	ID        string    `json:"id"`
	Version   int64     `json:"version"`
	Title     string    `json:"title"`
	Content   string    `json:"content"`
	Author    string    `json:"author"`
	Tags      []string  `json:"tags"`
	CreatedAt time.Time `json:"created_at"`
	UpdatedAt time.Time `json:"updated_at"`
}

func viewPost(item cqrsfeed.Item[post.Post]) Post {
	return Post{
		ID: item.ID, Version: item.Version,
		Title: item.Body.Title, Content: item.Body.Content, Author: item.Body.Author, Tags: item.Body.Tags,
		CreatedAt: item.CreatedAt, UpdatedAt: item.UpdatedAt,
	}
}

func viewPage(page cqrsfeed.FeedPage[post.Post]) FeedPage {
	posts := make([]Post, len(page.Items))
	for i, item := range page.Items {
		posts[i] = viewPost(item)
	}
	return FeedPage{Name: page.Feed.Name, Count: page.Feed.Count, Posts: posts, Next: page.Next}
}
