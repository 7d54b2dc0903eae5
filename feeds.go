package feedmill

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/ThreeDotsLabs/watermill"
	"github.com/ThreeDotsLabs/watermill/message"

	"github.com/feedmill/feedmill/cqrsfeed"
	"github.com/feedmill/feedmill/cqrsfeed/limits"
	"github.com/feedmill/feedmill/cqrsfeed/operate"
	"github.com/feedmill/feedmill/cqrsfeed/projector"
	"github.com/feedmill/feedmill/cqrsfeed/readmodel"
	"github.com/feedmill/feedmill/internal/config"
	"github.com/feedmill/feedmill/ssestream"
)

// FeedsConfig configures Feeds.
type FeedsConfig[T any] struct {
	// Items is the repository of the items. Its events are applied, and its name is the kind of their tokens. AddFeeds makes it
	// refuse items for which FeedsOf panics or returns invalid names, because no feed could have them. If the repository is
	// not in this process, use ItemsElsewhere. Required.
	Items Items[T]
	// Name is the name of the feeds. The name of their projection and their Topic begin with it. Defaults to the name of
	// Items. Set it if a repository has feeds of two kinds.
	Name string
	// Store keeps the feeds. If it is a readmodel.Store, as those of this module are, and Items is a repository, operators can
	// rebuild and audit the feeds by the page of App.Operations. Required.
	Store cqrsfeed.FeedStore[T]
	// FeedsOf returns the names of the feeds that an item belongs to. Required.
	FeedsOf func(cqrsfeed.Item[T]) []string
	// RuleVersion is the version of FeedsOf, as in cqrsfeed.TagFeedsConfig. Defaults to 0.
	RuleVersion int64
	// FeedName returns the name of the feed for a name in a request, for example in lower case, so that all spellings share a
	// feed and its loads. Defaults to the name itself.
	FeedName func(name string) string
	// View returns what clients see of an item, to be encoded as JSON. Defaults to the item itself.
	View func(cqrsfeed.Item[T]) any
	// Render writes a page as HTML, for ssestream.Adapter.HTML of Pages and for plain requests that prefer HTML. page is the
	// value that is otherwise encoded as JSON: by default a value with the fields Feed, Items and Next. Defaults to none.
	Render func(ctx context.Context, w io.Writer, page any) error
	// Compress compresses streams of pages and of the list of feeds, see ssestream.AdapterBuilder.Compress: a new item costs
	// some hundred bytes instead of a page. Set it only if no page has a secret beside text by others. Defaults to no
	// compression.
	Compress bool
	// PageSize is the number of items of a page. Defaults to limits.DefaultPageLimit.
	PageSize int
	// Projector tunes the projector. Name, Topics, Projection and UpdatesTopic are set by AddFeeds.
	Projector projector.Config
}

func (c *FeedsConfig[T]) setDefaults() {
	if c.Items != nil {
		config.Default(&c.Name, c.Items.Name())
	}
	if c.FeedName == nil {
		c.FeedName = func(name string) string { return name }
	}
	if c.View == nil {
		c.View = func(item cqrsfeed.Item[T]) any { return item }
	}
}

// Validate returns all problems of the configuration, joined.
func (c FeedsConfig[T]) Validate() error {
	var p config.Problems
	p.Require(c.Items != nil, "Items")
	p.Require(c.Store != nil, "Store")
	p.Require(c.FeedsOf != nil, "FeedsOf")
	config.NotNegative(&p, "RuleVersion", c.RuleVersion)
	config.NotNegative(&p, "PageSize", c.PageSize)
	p.Check(c.PageSize <= limits.MaxPageLimit, "PageSize is %d, at most %d are allowed", c.PageSize, limits.MaxPageLimit)
	return p.Join()
}

// Items is what feeds need of a repository. The repositories of this module implement it.
type Items[T any] interface {
	// Name returns the name of the repository, for cqrsfeed.TopicsOf.
	Name() string
	// AddCheck makes the repository refuse each Create and Update of an item for which check returns an error.
	AddCheck(check func(cqrsfeed.Item[T]) error)
}

// ItemsElsewhere returns the Items of items that this process does not write, or not by a repository. name is that of their
// events (cqrsfeed.TopicsOf) and tokens. Their writer should call cqrsfeed.CheckFeeds with the same FeedsOf: an item that it
// refuses is in no feed.
func ItemsElsewhere[T any](name string) Items[T] { return elsewhere[T](name) }

type elsewhere[T any] string

// topicsOf returns the topics of the items' events: those that a repository of this module is configured with, or the default.
func topicsOf[T any](items Items[T]) cqrsfeed.Topics {
	if told, ok := items.(interface{ Topics() cqrsfeed.Topics }); ok {
		return told.Topics()
	}
	return cqrsfeed.TopicsOf(items.Name())
}

// Name implements Items.
func (e elsewhere[T]) Name() string { return string(e) }

// AddCheck implements Items. It cannot reach the writers.
func (elsewhere[T]) AddCheck(func(cqrsfeed.Item[T]) error) {}

// Feeds are the feeds of one kind of item in an App.
type Feeds[T any] struct {
	app    *App
	config FeedsConfig[T]

	mu      sync.Mutex
	pages   map[string]*FeedAdapter // by wildcard, so that all handlers of the default view share their loads
	unions  map[string]*FeedAdapter // by parameter
	skipped time.Time               // when it was last logged that a page skips items
}

// FeedAdapter is an adapter of feeds, for App.Handle and ssestream.Stream.
type FeedAdapter = ssestream.Adapter[cqrsfeed.FeedUpdated, any]

// AddFeeds adds a projection of items into feeds (cqrsfeed.TagFeeds) to an App:
//
//	tags, err := feedmill.AddFeeds(app, feedmill.FeedsConfig[Note]{Items: notes, Store: store, FeedsOf: tagsOf})
//	…
//	http.HandleFunc("GET /feeds/{tag}", tags.Handler("tag"))
//
// It is a function because methods have no type parameters.
func AddFeeds[T any](a *App, c FeedsConfig[T]) (*Feeds[T], error) {
	c.setDefaults()
	if err := c.Validate(); err != nil {
		return nil, fmt.Errorf("feeds config: %w", err)
	}
	f := &Feeds[T]{app: a, config: c, pages: map[string]*FeedAdapter{}, unions: map[string]*FeedAdapter{}}
	tagFeeds, err := cqrsfeed.NewTagFeeds(cqrsfeed.TagFeedsConfig[T]{Store: c.Store, FeedsOf: c.FeedsOf, RuleVersion: c.RuleVersion})
	if err != nil {
		return nil, err
	}
	p := c.projector()
	p.Projection = tagFeeds
	if err := a.AddProjection(p); err != nil {
		return nil, err
	}
	c.Items.AddCheck(cqrsfeed.CheckFeeds(c.FeedsOf))
	a.await(c.Items.Name(), f.Topic(), c.Store)
	if target, err := c.target(a.updatesPublisher()); err == nil {
		return f, AddReadModel(a, p.Name, target)
	}
	return f, nil // without a button
}

// Target returns the target of operate.Run, for a process without an App: the feeds, FeedsOf and RuleVersion, and the Outbox and
// the Broker or Live of app, as they are configured in the processes that serve. The Broker or Live announces the feeds that
// changed. Without either, open pages change when they load again. Items must be a readmodel.Source and Store a readmodel.Store, as the
// repositories and feed stores of this module are.
func (c FeedsConfig[T]) Target(app Config) (operate.Target[T], error) {
	c.setDefaults()
	target, err := c.target(app.publisher())
	if err != nil {
		return target, err
	}
	return withApp(target, app, c.projector()), nil
}

// target returns the target whose changes publisher announces, or nothing if it is nil.
func (c FeedsConfig[T]) target(publisher message.Publisher) (operate.Target[T], error) {
	if err := c.Validate(); err != nil {
		return operate.Target[T]{}, fmt.Errorf("feeds config: %w", err)
	}
	source, hasSource := c.Items.(readmodel.Source[T])
	store, isModel := c.Store.(readmodel.Store[T])
	if !hasSource || !isModel {
		return operate.Target[T]{}, fmt.Errorf("feeds %q cannot be rebuilt: Items (%T) must be a readmodel.Source and Store (%T) a readmodel.Store",
			c.Name, c.Items, c.Store)
	}
	target := operate.Target[T]{Source: source, Store: store, FeedsOf: c.FeedsOf, RuleVersion: c.RuleVersion, Publisher: publisher}
	if publisher != nil {
		target.UpdatesTopic = c.topic()
	}
	return target, nil
}

func (c FeedsConfig[T]) topic() string { return c.Name + "-feed-updated" }

// projector returns the configuration of the projector, without its projection.
func (c FeedsConfig[T]) projector() projector.Config {
	p := c.Projector
	p.Name, p.Topics, p.UpdatesTopic = c.Name+"-feeds", topicsOf(c.Items).All(), c.topic()
	return p
}

// Topic returns the topic on which a cqrsfeed.FeedUpdated announces each change of a feed: the Name and "-feed-updated".
func (f *Feeds[T]) Topic() string { return f.config.topic() }

// Handler returns a handler for the feed that a wildcard of its pattern names, such as "tag" of "GET /feeds/{tag}". It serves
// the pages of Pages. A stream follows the first page.
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
	return page{Feed: p.Feed, Items: f.viewItems(p), Next: p.Next}
}

func (f *Feeds[T]) viewItems(p cqrsfeed.FeedPage[T]) []any {
	items := make([]any, len(p.Items))
	for i, item := range p.Items {
		items[i] = f.config.View(item)
	}
	return items
}

// cursorMark separates a feed's name and a cursor in a key. Names have no control characters.
const cursorMark = "\n"

// Pages returns an adapter for the pages of a feed, newest items first. Items that this release cannot decode are left out and
// logged (cqrsfeed.FeedPage.Skipped). A wildcard of the request's pattern names the feed. The parameter cursor is the Next of
// the page before. A stream can follow only the first page. A page has up to PageSize items, and fewer if their bodies are
// large (limits.MaxPageBytes), so that it fits into a frame. The result of view is encoded as JSON. A nil view returns a
// cqrsfeed.FeedPage of FeedsConfig.View.
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
	return f.adapter(
		func(r *http.Request) (string, error) {
			name := r.PathValue(wildcard)
			if name == "" && !strings.Contains(r.Pattern, "{"+wildcard) {
				return "", &ssestream.StatusError{
					Status: http.StatusInternalServerError,
					Err:    fmt.Errorf("the pattern %q of the handler has no wildcard {%s}", r.Pattern, wildcard),
				}
			}
			name = f.config.FeedName(name)
			if err := cqrsfeed.ValidateFeed(name); err != nil {
				return "", &ssestream.StatusError{Status: http.StatusBadRequest, Err: err, Field: wildcard}
			}
			return name, nil
		},
		func(ctx context.Context, name, cursor string) (any, error) {
			page, err := f.config.Store.Page(ctx, name, cursor, f.config.PageSize)
			if err != nil {
				return nil, err
			}
			f.reportSkipped(page, name)
			return view(page), nil
		},
	)
}

// adapter returns an adapter for pages of what feeds names, which has no cursorMark. Streams follow the first page.
func (f *Feeds[T]) adapter(
	feeds func(*http.Request) (string, error), load func(ctx context.Context, feeds, cursor string) (any, error),
) *FeedAdapter {
	return mustBuild(ssestream.AdapterBuilder[cqrsfeed.FeedUpdated, any]{
		RequestKey: func(r *http.Request) (string, error) {
			key, err := feeds(r)
			cursor := r.URL.Query().Get("cursor")
			if err != nil || cursor == "" {
				return key, err
			}
			if ssestream.WantsStream(r) {
				return "", fmt.Errorf("%w: a stream follows the first page of a feed", cqrsfeed.ErrBadCursor)
			}
			return key + cursorMark + cursor, nil
		},
		EventKeys: func(event cqrsfeed.FeedUpdated) []string { return []string{event.Feed} },
		Load: func(ctx context.Context, key string) (any, error) {
			feeds, cursor, _ := strings.Cut(key, cursorMark)
			return load(ctx, feeds, cursor)
		},
		Render:   f.config.Render,
		Compress: f.config.Compress,
	})
}

// skippedLogInterval is the least time between two logs of what pages skip. A page of a busy feed is loaded all the time.
const skippedLogInterval = 10 * time.Second

// reportSkipped logs items of a page that this release cannot decode.
func (f *Feeds[T]) reportSkipped(page cqrsfeed.FeedPage[T], feed string) {
	if len(page.Skipped) == 0 {
		return
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if !f.skipped.IsZero() && time.Since(f.skipped) < skippedLogInterval {
		return
	}
	f.skipped = time.Now()
	f.app.logger.Error("A page of a feed skips items that this release cannot decode", page.Skipped[0], watermill.LogFields{
		"feeds": f.config.Name, "feed": feed, "items": len(page.Skipped),
	})
}

func mustBuild(b ssestream.AdapterBuilder[cqrsfeed.FeedUpdated, any]) *FeedAdapter {
	adapter, err := b.Build()
	if err != nil {
		panic(err) // the builders above are complete
	}
	return adapter
}
