// Package api is the microblog's HTTP API: commands that write posts, and reads that open pages follow. Bodies are JSON, and
// refusals are problem documents (RFC 9457) that name the fields.
package api

import (
	"errors"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"

	"github.com/feedmill/feedmill"
	"github.com/feedmill/feedmill/cqrsfeed"
	"github.com/feedmill/feedmill/examples/microblog/post"
	"github.com/feedmill/feedmill/ssestream"
)

// Kind is the name of the posts' repository, their topics and their tokens.
const Kind = "post"

// API serves the microblog's requests.
type API struct {
	app   *feedmill.App
	posts cqrsfeed.Repository[post.Post]
	feeds *feedmill.Feeds[post.Post]
}

// New adds the feeds of the posts to the app, and returns the API of both.
func New(app *feedmill.App, posts cqrsfeed.Repository[post.Post], store cqrsfeed.FeedStore[post.Post]) (*API, error) {
	feeds, err := feedmill.AddFeeds(app, feedmill.FeedsConfig[post.Post]{
		Name: Kind, Store: store, FeedsOf: post.FeedsOf,
		View: func(item cqrsfeed.Item[post.Post]) any { return viewPost(item) },
	})
	return &API{app: app, posts: posts, feeds: feeds}, err
}

// Routes registers the API below /api/. Each read has a URL of its own, and pages follow all of theirs on one connection.
func (a *API) Routes(mux *http.ServeMux) error {
	list, feed := a.feeds.List(viewList), a.feeds.Pages("name", viewPage)
	one, err := a.postAdapter()
	if err != nil {
		return err
	}
	feedTopics, events := []string{a.feeds.Topic()}, cqrsfeed.TopicsOf(Kind)
	postTopics := []string{events.Updated, events.Deleted}
	streams, err := a.app.Streams(
		ssestream.Stream{Pattern: "feeds", Topics: feedTopics, Adapter: list},
		ssestream.Stream{Pattern: "feed:{name}", Topics: feedTopics, Adapter: feed},
		ssestream.Stream{Pattern: "post:{id}", Topics: postTopics, Adapter: one},
	)
	if err != nil {
		return err
	}
	for path, methods := range map[string]map[string]http.HandlerFunc{
		"/api/streams":       {http.MethodGet: streams},
		"/api/feeds":         {http.MethodGet: a.app.Handle(list, feedTopics...)},
		"/api/feeds/{name}":  {http.MethodGet: a.app.Handle(feed, feedTopics...)},
		"/api/generate/post": {http.MethodPost: a.command(http.StatusCreated, a.generatePost)},
		"/api/posts":         {http.MethodPost: a.command(http.StatusCreated, a.createPost)},
		"/api/posts/{id}": {
			http.MethodGet:    a.app.Router().AddTopicsHandler(postTopics, one), // of the write model: it need not wait
			http.MethodPatch:  a.command(http.StatusOK, a.updatePost),
			http.MethodDelete: a.command(http.StatusNoContent, a.deletePost),
		},
	} {
		mux.HandleFunc(path, a.byMethod(methods))
	}
	mux.HandleFunc("/api/", func(w http.ResponseWriter, r *http.Request) {
		a.app.WriteError(w, r, &ssestream.StatusError{Status: http.StatusNotFound, Err: errors.New("there is nothing at " + r.URL.Path)})
	})
	return nil
}

// byMethod serves one path: http.ServeMux would answer another method in plain text.
func (a *API) byMethod(methods map[string]http.HandlerFunc) http.HandlerFunc {
	if get, ok := methods[http.MethodGet]; ok {
		methods[http.MethodHead] = get
	}
	allowed := strings.Join(slices.Sorted(maps.Keys(methods)), ", ")
	return func(w http.ResponseWriter, r *http.Request) {
		if handle, ok := methods[r.Method]; ok {
			handle(w, r)
			return
		}
		w.Header().Set("Allow", allowed)
		a.app.WriteError(w, r, refuse(http.StatusMethodNotAllowed, "method", "must be one of %s", allowed))
	}
}

// refuse returns an error that says what is wrong with a field of the request.
func refuse(status int, field, format string, args ...any) error {
	return &ssestream.StatusError{Status: status, Err: fmt.Errorf(format, args...), Field: field}
}

// RefuseCrossOrigin refuses a command that a page of another site sent.
func (a *API) RefuseCrossOrigin(w http.ResponseWriter, r *http.Request) {
	a.app.WriteError(w, r, refuse(http.StatusForbidden, "Origin", "is another site"))
}
