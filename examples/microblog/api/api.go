package api

import (
	"context"
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"time"

	"go.opentelemetry.io/otel/propagation"

	"github.com/feedmill/feedmill/cqrsfeed"
	"github.com/feedmill/feedmill/examples/microblog/post"
)

// API answers the microblog's requests from its write model and its feeds.
type API struct {
	posts   cqrsfeed.Repository[post.Post]
	feeds   cqrsfeed.FeedStore[post.Post]
	onError func(http.ResponseWriter, *http.Request, error)
}

// New returns the API of a write model and the feeds made from it.
func New(posts cqrsfeed.Repository[post.Post], feeds cqrsfeed.FeedStore[post.Post], logger *slog.Logger) *API {
	return &API{posts: posts, feeds: feeds, onError: ErrorHandler(logger)}
}

// Live is what serves the reads, as JSON or as a stream.
type Live struct {
	FeedList, Feed, Post http.HandlerFunc
	// Streams serves several of them on one connection.
	Streams http.HandlerFunc
}

// Routes registers the API below /api/ on mux.
func (a *API) Routes(mux *http.ServeMux, live Live) error {
	// What is read from the feeds can wait for what its reader wrote. Posts are read from the write model.
	readYourWrites, err := cqrsfeed.NewReadYourWrites(cqrsfeed.ReadYourWritesConfig{
		Store:        func(string) cqrsfeed.ItemVersions { return a.feeds },
		ErrorHandler: a.onError,
	})
	if err != nil {
		return err
	}
	feedRead := func(read http.HandlerFunc) http.HandlerFunc { return readYourWrites(read).ServeHTTP }
	routes := map[string]methods{
		"/api/feeds":         {http.MethodGet: feedRead(live.FeedList)},
		"/api/feeds/{name}":  {http.MethodGet: feedRead(live.Feed)},
		"/api/streams":       {http.MethodGet: feedRead(live.Streams)},
		"/api/posts":         {http.MethodPost: a.command(a.createPost)},
		"/api/posts/{id}":    {http.MethodGet: live.Post, http.MethodPatch: a.command(a.updatePost), http.MethodDelete: a.command(a.deletePost)},
		"/api/generate/post": {http.MethodPost: a.command(a.generatePost)},
	}
	for path, m := range routes {
		mux.Handle(path, m)
	}
	mux.HandleFunc("/api/", func(w http.ResponseWriter, r *http.Request) {
		writeProblem(w, problem{Status: http.StatusNotFound, Detail: "there is nothing at " + r.URL.Path})
	})
	return nil
}

// commandTimeout bounds a command: with a client that dribbles its body or a database that hangs, it ends all
// the same.
const commandTimeout = 10 * time.Second

// command adapts a handler that returns what went wrong.
func (a *API) command(handle func(http.ResponseWriter, *http.Request) error) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		// Who traces the request finds what it causes in the same trace.
		ctx := propagation.TraceContext{}.Extract(r.Context(), propagation.HeaderCarrier(r.Header))
		ctx, cancel := context.WithTimeout(ctx, commandTimeout)
		defer cancel()
		// The body has to come within the time as well. Where the writer knows no deadlines there is no
		// connection to be held up either.
		_ = http.NewResponseController(w).SetReadDeadline(time.Now().Add(commandTimeout))
		if err := handle(w, r.WithContext(ctx)); err != nil {
			a.onError(w, r, err)
		}
	}
}

// methods serves one path. It exists because http.ServeMux answers a wrong method in plain text.
type methods map[string]http.HandlerFunc

// ServeHTTP picks the method's handler; GET also answers HEAD.
func (m methods) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	handle, ok := m[r.Method]
	if !ok && r.Method == http.MethodHead {
		handle, ok = m[http.MethodGet]
	}
	if ok {
		handle(w, r)
		return
	}
	allowed := make([]string, 0, len(m)+1)
	for method := range m {
		allowed = append(allowed, method)
		if method == http.MethodGet {
			allowed = append(allowed, http.MethodHead)
		}
	}
	slices.Sort(allowed)
	w.Header().Set("Allow", strings.Join(allowed, ", "))
	writeProblem(w, problem{
		Status: http.StatusMethodNotAllowed,
		Detail: r.Method + " is not allowed here, only " + strings.Join(allowed, ", "),
		Errors: []post.FieldError{{Field: "method", Detail: "must be one of " + strings.Join(allowed, ", ")}},
	})
}
