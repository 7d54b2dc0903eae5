package feedmill

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync"

	"github.com/ThreeDotsLabs/watermill"

	"github.com/feedmill/feedmill/cqrsfeed"
	"github.com/feedmill/feedmill/cqrsfeed/projector"
	"github.com/feedmill/feedmill/internal/config"
	"github.com/feedmill/feedmill/ssestream"
)

// FeedsConfig configures Feeds.
type FeedsConfig[T any] struct {
	// Name is what the feeds are called, such as "note". It begins the name of their projection and their Topic. Required.
	Name string
	// Items is the name of the items' repository: the events of cqrsfeed.TopicsOf(Items) are applied, and it is the kind of
	// the items' tokens. Defaults to Name; set it where a repository has feeds of two kinds.
	Items string
	// Store keeps the feeds. Required.
	Store cqrsfeed.FeedStore[T]
	// FeedsOf returns the names of the feeds that an item belongs to. Required.
	FeedsOf func(cqrsfeed.Item[T]) []string
	// View returns what clients see of an item, to be encoded as JSON. Defaults to the item itself.
	View func(cqrsfeed.Item[T]) any
	// PageSize is the number of items of a page. Defaults to cqrsfeed.DefaultPageLimit.
	PageSize int
	// Projector tunes the projector. Name, Topics, Projection and UpdatesTopic are set by AddFeeds.
	Projector projector.Config
}

// Validate joins what is wrong with the configuration.
func (c FeedsConfig[T]) Validate() error {
	var p config.Problems
	p.Require(c.Name != "", "Name")
	p.Require(c.Store != nil, "Store")
	p.Require(c.FeedsOf != nil, "FeedsOf")
	config.NotNegative(&p, "PageSize", c.PageSize)
	p.Check(c.PageSize <= cqrsfeed.MaxPageLimit, "PageSize is %d, at most %d are allowed", c.PageSize, cqrsfeed.MaxPageLimit)
	return p.Join()
}

// Feeds are the feeds of one kind of item in an App.
type Feeds[T any] struct {
	app    *App
	config FeedsConfig[T]

	mu    sync.Mutex
	pages map[string]*FeedAdapter // by wildcard, so that all handlers of the default view share their loads
}

// FeedAdapter is an adapter of feeds, for App.Handle and ssestream.Stream.
type FeedAdapter = ssestream.Adapter[cqrsfeed.FeedUpdated, any]

// AddFeeds adds a projection of items into feeds (cqrsfeed.TagFeeds) to an App:
//
//	tags, err := feedmill.AddFeeds(app, feedmill.FeedsConfig[Note]{Name: "note", Store: store, FeedsOf: tagsOf})
//	…
//	http.HandleFunc("GET /feeds/{tag}", tags.Handler("tag"))
//
// It is a function because methods have no type parameters.
func AddFeeds[T any](a *App, c FeedsConfig[T]) (*Feeds[T], error) {
	config.Default(&c.Items, c.Name)
	if c.View == nil {
		c.View = func(item cqrsfeed.Item[T]) any { return item }
	}
	if err := c.Validate(); err != nil {
		return nil, fmt.Errorf("feeds config: %w", err)
	}
	f := &Feeds[T]{app: a, config: c, pages: map[string]*FeedAdapter{}}
	tagFeeds, err := cqrsfeed.NewTagFeeds(cqrsfeed.TagFeedsConfig[T]{Store: c.Store, FeedsOf: c.FeedsOf})
	if err != nil {
		return nil, err
	}
	p := c.Projector
	p.Name, p.Topics, p.Projection, p.UpdatesTopic = c.Name+"-feeds", cqrsfeed.TopicsOf(c.Items).All(), tagFeeds, f.Topic()
	if err := a.AddProjection(p); err != nil {
		return nil, err
	}
	a.addStore(c.Items, c.Store)
	return f, nil
}

// Topic returns the topic on which a cqrsfeed.FeedUpdated announces each change of a feed: the name with "-feed-updated"
// behind it.
func (f *Feeds[T]) Topic() string { return f.config.Name + "-feed-updated" }

// Handler returns a handler for the feed that a wildcard of its pattern names, such as "tag" of "GET /feeds/{tag}". A
// response is a page as of Pages. A stream follows the first page.
func (f *Feeds[T]) Handler(wildcard string) http.HandlerFunc {
	return f.app.Handle(f.Pages(wildcard, nil), f.Topic())
}

// page is a cqrsfeed.FeedPage as clients see it.
type page struct {
	Feed  cqrsfeed.Feed `json:"feed"`
	Items []any         `json:"items"`
	Next  string        `json:"next"`
}

func (f *Feeds[T]) viewPage(p cqrsfeed.FeedPage[T]) any {
	items := make([]any, len(p.Items))
	for i, item := range p.Items {
		items[i] = f.config.View(item)
	}
	return page{Feed: p.Feed, Items: items, Next: p.Next}
}

// cursorMark separates a feed's name and a cursor in a key. Names have no control characters.
const cursorMark = "\n"

// Pages returns an adapter for the pages of a feed, newest items first. A wildcard of the request's pattern has the name
// of the feed. The parameter cursor has the Next of the page before; only the first page can be followed by a stream.
// What view returns is encoded as JSON; the default is a cqrsfeed.FeedPage of FeedsConfig.View.
func (f *Feeds[T]) Pages(wildcard string, view func(cqrsfeed.FeedPage[T]) any) *FeedAdapter {
	if view != nil {
		return f.newPages(wildcard, view)
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.pages[wildcard] == nil {
		f.pages[wildcard] = f.newPages(wildcard, f.viewPage)
	}
	return f.pages[wildcard]
}

func (f *Feeds[T]) newPages(wildcard string, view func(cqrsfeed.FeedPage[T]) any) *FeedAdapter {
	return mustBuild(ssestream.AdapterBuilder[cqrsfeed.FeedUpdated, any]{
		RequestKey: func(r *http.Request) (string, error) {
			name, cursor := r.PathValue(wildcard), r.URL.Query().Get("cursor")
			if name == "" && !strings.Contains(r.Pattern, "{"+wildcard) {
				return "", &ssestream.StatusError{
					Status: http.StatusInternalServerError,
					Err:    fmt.Errorf("the pattern %q of the handler has no wildcard {%s}", r.Pattern, wildcard),
				}
			}
			if err := cqrsfeed.ValidateFeed(name); err != nil {
				return "", &ssestream.StatusError{Status: http.StatusBadRequest, Err: err, Field: wildcard}
			}
			if cursor == "" {
				return name, nil
			}
			if ssestream.WantsStream(r) {
				return "", fmt.Errorf("%w: a stream follows the first page of a feed", cqrsfeed.ErrBadCursor)
			}
			return name + cursorMark + cursor, nil
		},
		EventKeys: func(event cqrsfeed.FeedUpdated) []string { return []string{event.Feed} },
		Load: func(ctx context.Context, key string) (any, error) {
			name, cursor, _ := strings.Cut(key, cursorMark)
			page, err := f.config.Store.Page(ctx, name, cursor, f.config.PageSize)
			if err != nil {
				return nil, err
			}
			return view(page), nil
		},
	})
}

// List returns an adapter for the list of all feeds that have items, ordered by name. What view returns is encoded as
// JSON; the default is the list itself.
func (f *Feeds[T]) List(view func([]cqrsfeed.Feed) any) *FeedAdapter {
	if view == nil {
		view = func(feeds []cqrsfeed.Feed) any { return feeds }
	}
	const key = "list"
	return mustBuild(ssestream.AdapterBuilder[cqrsfeed.FeedUpdated, any]{
		RequestKey: func(*http.Request) (string, error) { return key, nil },
		EventKeys:  func(cqrsfeed.FeedUpdated) []string { return []string{key} },
		Load: func(ctx context.Context, _ string) (any, error) {
			list := []cqrsfeed.Feed{}
			after := ""
			for {
				feeds, err := f.config.Store.Feeds(ctx, after, cqrsfeed.MaxPageLimit)
				if err != nil {
					return nil, err
				}
				list = append(list, feeds...)
				if len(feeds) < cqrsfeed.MaxPageLimit {
					return view(list), nil
				}
				after = feeds[len(feeds)-1].Name
			}
		},
	})
}

func mustBuild(b ssestream.AdapterBuilder[cqrsfeed.FeedUpdated, any]) *FeedAdapter {
	adapter, err := b.Build()
	if err != nil {
		panic(err) // the builders above are complete
	}
	return adapter
}

// Reply writes the response to a command that returned item and err. Without an error it is FeedsConfig.View of the item as
// JSON, except for status 204, with the item's entity tag and with the token by which reads wait for the write. With
// an error it is that of WriteError.
func (f *Feeds[T]) Reply(w http.ResponseWriter, r *http.Request, status int, item cqrsfeed.Item[T], err error) {
	var body []byte
	if err == nil && status != http.StatusNoContent {
		if body, err = json.Marshal(f.config.View(item)); err != nil {
			err = fmt.Errorf("encode item %q: %w", item.ID, err)
		}
	}
	if err != nil {
		f.app.WriteError(w, r, err)
		return
	}
	header := w.Header()
	cqrsfeed.SetToken(header, item.Token(f.config.Items))
	header.Set("ETag", item.ETag())
	header.Set("Cache-Control", "no-store")
	if body != nil {
		header.Set("Content-Type", "application/json")
	}
	w.WriteHeader(status)
	_, _ = w.Write(body) // a client that is gone needs no answer
}

// WriteError answers a request that failed. The status is that of ssestream.StatusOf, which knows the errors of cqrsfeed,
// and the body a problem document (RFC 9457). The text of a status of 500 or more goes to the log alone. A client that
// went away is not answered.
func (a *App) WriteError(w http.ResponseWriter, r *http.Request, err error) {
	if errors.Is(r.Context().Err(), context.Canceled) {
		return
	}
	if ssestream.StatusOf(err) >= http.StatusInternalServerError {
		a.logger.Error("Request failed", err, watermill.LogFields{"method": r.Method, "path": r.URL.Path})
	}
	a.config.Router.ErrorHandler(w, r, err)
}
