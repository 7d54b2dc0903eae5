// Package api is the microblog's HTTP API: commands that write posts, and reads that open pages follow. Bodies are JSON, and
// refusals are problem documents (RFC 9457) that name the fields.
package api

import (
	"net/http"

	"github.com/feedmill/feedmill"
	"github.com/feedmill/feedmill/cqrsfeed"
	"github.com/feedmill/feedmill/examples/microblog/post"
	"github.com/feedmill/feedmill/ssestream"
)

// Kind is the name of the posts' repository, their topics and their tokens.
const Kind = "post"

// Posts is the write model. Its feeds are added to it.
type Posts interface {
	cqrsfeed.Repository[post.Post]
	feedmill.Items[post.Post]
}

// item is a post with its ID and version.
type item = cqrsfeed.Item[post.Post]

// api serves the requests.
type api struct {
	app   *feedmill.App
	posts Posts
	feeds *feedmill.Feeds[post.Post]
}

// Feeds configures the feeds of the posts, for the app and for commands that rebuild and audit them.
func Feeds(posts Posts, store cqrsfeed.FeedStore[post.Post]) feedmill.FeedsConfig[post.Post] {
	return feedmill.FeedsConfig[post.Post]{
		Items: posts, Store: store, FeedsOf: post.FeedsOf, RuleVersion: post.FeedsRule,
		FeedName: post.FeedName,
		View:     func(p item) any { return viewPost(p) },
		Compress: true, // Whatever is on a page is public.
	}
}

// New adds the feeds of the posts to the app, and returns the handler of all that is below /api/. Each read has a URL of
// its own, and pages follow all of theirs on one connection.
func New(app *feedmill.App, posts Posts, store cqrsfeed.FeedStore[post.Post]) (http.Handler, error) {
	feeds, err := feedmill.AddFeeds(app, Feeds(posts, store))
	if err != nil {
		return nil, err
	}
	a := &api{app: app, posts: posts, feeds: feeds}
	list, feed, tags, one := feeds.List(viewList), feeds.Pages("name", viewPage), feeds.Unions("tags", viewPage), feeds.Item("id")
	streams, err := app.Streams(
		ssestream.Stream{Pattern: "feeds", Topics: []string{feeds.Topic()}, Adapter: list},
		ssestream.Stream{Pattern: "feed:{name}", Topics: []string{feeds.Topic()}, Adapter: feed},
		ssestream.Stream{Pattern: "tags:{tags}", Topics: []string{feeds.Topic()}, Adapter: tags},
		ssestream.Stream{Pattern: "post:{id}", Topics: feeds.ItemTopics(), Adapter: one},
	)
	if err != nil {
		return nil, err
	}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /api/posts", app.Handle(tags, feeds.Topic()))
	mux.HandleFunc("POST /api/posts", a.command(http.StatusCreated, a.createPost))
	mux.HandleFunc("POST /api/generate/post", a.command(http.StatusCreated, a.generatePost))
	mux.HandleFunc("PATCH /api/posts/{id}", a.command(http.StatusOK, a.updatePost))
	mux.HandleFunc("DELETE /api/posts/{id}", a.command(http.StatusNoContent, a.deletePost))
	mux.HandleFunc("POST /api/tags", a.readTags)
	mux.HandleFunc("GET /api/feeds", app.Handle(list, feeds.Topic()))
	mux.HandleFunc("GET /api/feeds/{name}", app.Handle(feed, feeds.Topic()))
	mux.HandleFunc("GET /api/posts/{id}", app.Router().AddTopicsHandler(feeds.ItemTopics(), one)) // of the write model: it need not wait
	mux.HandleFunc("GET /api/streams", streams)
	return app.Problems(mux), nil
}
